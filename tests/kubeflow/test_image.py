"""What kubeflow/Dockerfile and Dockerfile.tpu make: read, and built as far as this machine can.

Every node's own command is started in that environment by the first run of `test_engines.py`.
"""

import re
import subprocess
from pathlib import Path

import pytest
from engine.image import instructions
from engine.spec import parse

from kubeflow.cloud_targets import TARGETS

KUBEFLOW = Path(__file__).parents[2] / "kubeflow"
DOCKERFILES = ("Dockerfile", "Dockerfile.tpu")

# Finds, in the image, what the arguments name: classes by their dotted paths, modules by `-m`.
IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    module, _, attribute = name.partition(":")
    found = importlib.import_module(module)
    if attribute:
        getattr(found, attribute)
    print(name, found.__file__)
"""


def last_stage(name):
    steps = instructions(KUBEFLOW / name)
    start = max(i for i, step in enumerate(steps) if step["instruction"] == "FROM")
    return steps[start:]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_nothing_runs_as_root(name):
    users = [step["value"] for step in last_stage(name) if step["instruction"] == "USER"]
    assert users[-1] == "1000:1000"


@pytest.mark.parametrize("stage", ["base", "worker", "gpu", "node"])
def test_build_tools_stay_in_the_stages_that_build(stage):
    steps = instructions(KUBEFLOW / "Dockerfile", stage)
    text = " ".join(step["value"] for step in steps)
    assert not re.search(r"\b(uv|pip|apt-get|gcc)\b", text)
    copied = [step["value"] for step in steps if step["instruction"] == "COPY"]
    assert all(value.startswith("--from=") for value in copied)


def test_an_edit_of_the_code_leaves_the_layer_of_dependencies():
    steps = instructions(KUBEFLOW / "Dockerfile", "build")
    dependencies = next(
        i for i, s in enumerate(steps) if "--constraint constraints.txt" in s["value"]
    )
    before = " ".join(step["value"] for step in steps[:dependencies])
    for package in ("components", "configs", "models", "pipeline"):
        assert package not in before.split()


def test_requirements_of_accelerators_are_pinned_and_hashed():
    for kind in ("gpu", "tpu"):
        text = (KUBEFLOW / f"requirements-{kind}.txt").read_text()
        requirements = re.split(r"\n(?=[a-z])", text)[1:]
        assert requirements
        for requirement in requirements:
            assert re.match(r"[a-z0-9-]+==\S+ \\\n +--hash=sha256:[0-9a-f]{64}", requirement)


def test_the_tpus_tensorflow_is_the_version_of_the_others():
    pinned = {
        line.split("==")[1].split()[0]
        for file in (KUBEFLOW / "requirements-tpu.txt", KUBEFLOW.parent / "constraints.txt")
        for line in file.read_text().splitlines()
        if re.match(r"tensorflow(-tpu)?==", line)
    }
    assert len(pinned) == 1


@pytest.mark.e2e
def test_every_nodes_command_is_importable_from_the_wheel_alone(compiled, image, tmp_path):
    names = set()
    for target in TARGETS:
        for _, command in parse(compiled(target).read_text()).containers():
            assert command[:2] == ["python", "-m"]
            names.add(command[2])
            classes = [a for a in command if re.fullmatch(r"[a-z][\w.]*\.[A-Z]\w*", a)]
            names |= {":".join(path.rsplit(".", 1)) for path in classes}
    assert {"components.data_gate.component:DataGate_Executor", "kubeflow.container"} <= names
    names |= {"models.trainer:run_fn", "components.evaluator.extractors:custom_extractors", "higgs"}
    done = subprocess.run(
        [image / "python", "-c", IMPORT, *sorted(names)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    places = dict(line.split() for line in done.stdout.splitlines() if " /" in line)
    assert names <= places.keys()
    installed = str(image.parent / "lib")
    assert [place for place in places.values() if not place.startswith(installed)] == []


@pytest.mark.e2e
def test_the_image_has_the_versions_of_the_constraints_and_no_pip(image):
    listed = subprocess.run(
        [image / "python", "-c", "import importlib.metadata as m\n"
         "for d in m.distributions(): print(d.metadata['Name'].lower(), d.version)"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    versions = dict(line.split() for line in listed.splitlines())
    text = (KUBEFLOW.parent / "constraints.txt").read_text()
    pinned = dict(re.findall(r"^([a-z0-9._-]+)(?:\[\S*\])?==(\S+)", text, re.MULTILINE))
    del versions["higgs-pipeline"]
    wrong = {n: v for n, v in versions.items() if pinned.get(re.sub(r"[._]", "-", n), v) != v}
    assert wrong == {}
    assert versions["tfx"] == "1.16.0"
    assert not {"pytest", "ruff", "uv"} & versions.keys()
