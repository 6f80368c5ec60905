"""The images of kubeflow/Dockerfile and Dockerfile.tpu: parsed, and built without a container.

The first run of `test_compiled_runs.py` starts every node's command in that environment.
"""

import re
import subprocess
from pathlib import Path

import pytest
from engine.image import Stage, instructions
from engine.kubeflow import LAUNCHER_FOLDERS
from engine.spec import parse

from kubeflow.cloud_targets import TARGETS

KUBEFLOW = Path(__file__).parents[2] / "kubeflow"
DOCKERFILES = ("Dockerfile", "Dockerfile.tpu")

# Imports the arguments in the image: modules, and classes as MODULE:CLASS.
IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    module, _, attribute = name.partition(":")
    imported = importlib.import_module(module)
    if attribute:
        getattr(imported, attribute)
    print(name, imported.__file__)
"""


def last_stage(name):
    steps = instructions(KUBEFLOW / name)
    start = max(i for i, step in enumerate(steps) if step["instruction"] == "FROM")
    return steps[start:]


def test_only_the_tpu_image_runs_as_root():
    """Kubeflow's `runAsNonRoot` needs a number. Only root can open the device files of a TPU."""
    stages = {stage: instructions(KUBEFLOW / "Dockerfile", stage) for stage in ("node", "gpu")}
    stages["tpu"] = last_stage("Dockerfile.tpu")
    users = {
        stage: [step["value"] for step in steps if step["instruction"] == "USER"]
        for stage, steps in stages.items()
    }
    assert users == {"node": ["1000:1000"], "gpu": ["1000:1000"], "tpu": ["0:0"]}


def test_every_user_may_write_to_the_launchers_folders(tmp_path):
    [command] = [
        part.strip()
        for step in instructions(KUBEFLOW / "Dockerfile", "base")
        for part in step["value"].split("&&")
        if "/minio" in part
    ]
    folders = [tmp_path / scheme for scheme in LAUNCHER_FOLDERS.values()]
    subprocess.run(re.sub(" /", f" {tmp_path}/", command).split(), check=True)
    assert [oct(folder.stat().st_mode) for folder in folders] == ["0o41777"] * 3


def test_downloads_are_checked_against_a_hash():
    for name in DOCKERFILES:
        for step in instructions(KUBEFLOW / name):
            if "http" in step["value"] and step["instruction"] in ("ADD", "RUN"):
                assert "--checksum=sha256:" in step["value"]


def test_the_tpu_image_has_no_layer_with_the_stock_tensorflow():
    steps = last_stage("Dockerfile.tpu")
    assert [step["value"] for step in steps if step["instruction"] == "FROM"] == [
        "python:3.10-slim-bookworm"
    ]
    copies = [step["value"] for step in steps if step["instruction"] == "COPY"]
    assert "--from=build /opt/venv /opt/venv" in copies
    assert not any(value.startswith("--from=higgs /opt/venv") for value in copies)


def environment(name, stage):
    steps = instructions(KUBEFLOW / name, stage)
    return " ".join(step["value"] for step in steps if step["instruction"] == "ENV")


def test_pluggable_devices_are_configured_for_tpu_v5e():
    variables = " ".join(
        s["value"] for s in last_stage("Dockerfile.tpu") if s["instruction"] == "ENV"
    )
    assert "NEXT_PLUGGABLE_DEVICE_USE_C_API=true" in variables
    [library] = re.findall(r"TF_PLUGGABLE_DEVICE_LIBRARY_PATH=(\S+)", variables)
    # Vertex AI looks for it there.
    assert library == "/lib/libtpu.so"
    added = [s["value"] for s in instructions(KUBEFLOW / "Dockerfile.tpu", "build")]
    assert added[-1].endswith(f" {library}")
    assert f"--from=build {library} {library}" in [
        s["value"] for s in last_stage("Dockerfile.tpu") if s["instruction"] == "COPY"
    ]


def test_tensorflow_for_tpus_replaces_the_stock_one(tmp_path):
    """Runs the step that installs it, with a `python` that stands for pip."""
    stock = tmp_path / "venv/lib/python3.10/site-packages/tensorflow"
    stock.mkdir(parents=True)
    (stock / "libtensorflow_cc.so.2").write_text("0.9 GB")
    new = tmp_path / "tensorflow-tpu/tensorflow"
    python = tmp_path / "bin/python"
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\nmkdir -p {new} && echo tpu > {new}/tpu.so\n")
    python.chmod(0o755)
    folders = {f"/opt/{name}": tmp_path / name for name in ("venv", "tensorflow-tpu")}
    steps = instructions(KUBEFLOW / "Dockerfile.tpu", "build")
    [command] = [step["value"] for step in steps if step["instruction"] == "RUN"]
    Stage(tmp_path, folders, python.parent, folder=tmp_path).run(command)
    assert [file.name for file in stock.iterdir()] == ["tpu.so"]


def test_the_gpu_image_finds_the_driver_that_the_device_plugin_mounts():
    paths = environment("Dockerfile", "gpu").partition("LD_LIBRARY_PATH=")[2].split(":")
    assert paths[-1] == "/usr/local/nvidia/lib64"


def test_packages_are_compiled_for_users_who_cannot_write_bytecode():
    assert "UV_COMPILE_BYTECODE=1" in environment("Dockerfile", "build")


def test_boot_of_dataflows_workers_uses_the_nodes_environment():
    """Of the same release of Beam, it neither makes an environment nor takes another Python."""
    pins = (KUBEFLOW.parent / "constraints.txt").read_text()
    beam = re.search(r"^apache-beam\S*==(\S+)", pins, re.MULTILINE)[1]
    steps = instructions(KUBEFLOW / "Dockerfile", "worker")
    copies = [step["value"] for step in steps if step["instruction"] == "COPY"]
    assert copies == [
        f"--from=apache/beam_python3.10_sdk:{beam} /opt/apache/beam /opt/apache/beam",
        "--from=build /opt/venv /opt/venv",
    ]
    assert "RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1" in environment("Dockerfile", "worker")
    assert "PATH=/opt/venv/bin:$PATH" in environment("Dockerfile", "base")


@pytest.mark.e2e
def test_beams_boot_finds_beam_in_the_workers_environment(image):
    """Boot's own check, in the environment that it uses.

    Beam 2.59.0, sdks/python/container/boot.go: it makes a virtual environment unless
    RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT is set, and runs `pip show apache-beam` in it.
    """
    show = [image / "python", "-m", "pip", "show", "apache-beam"]
    listing = subprocess.run(show, capture_output=True, text=True, check=True).stdout
    assert "Version: 2.59.0" in listing


@pytest.mark.parametrize("stage", ["base", "worker", "gpu", "node"])
def test_only_build_stages_contain_build_tools(stage):
    steps = instructions(KUBEFLOW / "Dockerfile", stage)
    text = " ".join(step["value"] for step in steps)
    assert not re.search(r"\b(uv|pip|apt-get|gcc)\b", text)
    copies = [step["value"] for step in steps if step["instruction"] == "COPY"]
    assert all(value.startswith("--from=") for value in copies)


def test_editing_code_keeps_the_dependency_layer():
    steps = instructions(KUBEFLOW / "Dockerfile", "build")
    dependencies = next(
        i for i, s in enumerate(steps) if "--constraint constraints.txt" in s["value"]
    )
    before = " ".join(step["value"] for step in steps[:dependencies])
    for package in ("components", "configs", "formats", "models", "pipeline"):
        assert package not in before.split()


def test_accelerator_requirements_are_pinned_and_hashed():
    for kind in ("gpu", "tpu"):
        text = (KUBEFLOW / f"requirements-{kind}.txt").read_text()
        requirements = re.split(r"\n(?=[a-z])", text)[1:]
        assert requirements
        for requirement in requirements:
            assert re.match(r"[a-z0-9-]+==\S+ \\\n +--hash=sha256:[0-9a-f]{64}", requirement)


def test_tensorflow_for_tpus_has_the_same_version():
    versions = {
        line.split("==")[1].split()[0]
        for file in (KUBEFLOW / "requirements-tpu.txt", KUBEFLOW.parent / "constraints.txt")
        for line in file.read_text().splitlines()
        if re.match(r"tensorflow(-tpu)?==", line)
    }
    assert len(versions) == 1


@pytest.mark.e2e
def test_every_nodes_command_can_be_imported_from_the_wheel(compiled, image, tmp_path):
    names = set()
    for target in TARGETS:
        for _, command in parse(compiled(target).read_text()).containers():
            assert command[:2] == ["python", "-m"]
            names.add(command[2])
            classes = [word for word in command if re.fullmatch(r"[a-z][\w.]*\.[A-Z]\w*", word)]
            names |= {":".join(path.rsplit(".", 1)) for path in classes}
    assert {"components.data_gate.component:DataGate_Executor", "kubeflow.container"} <= names
    names |= {"models.trainer:run_fn", "components.evaluator.extractors:custom_extractors", "higgs"}
    process = subprocess.run(
        [image / "python", "-c", IMPORT, *sorted(names)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    files = dict(line.split() for line in process.stdout.splitlines() if " /" in line)
    assert names <= files.keys()
    site_packages = str(image.parent / "lib")
    assert [file for file in files.values() if not file.startswith(site_packages)] == []


@pytest.mark.e2e
def test_the_image_has_the_pinned_versions_and_no_development_tools(image):
    listing = subprocess.run(
        [image / "python", "-c", "import importlib.metadata as m\n"
         "for d in m.distributions(): print(d.metadata['Name'].lower(), d.version)"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    versions = dict(line.split() for line in listing.splitlines())
    text = (KUBEFLOW.parent / "constraints.txt").read_text()
    pinned = dict(re.findall(r"^([a-z0-9._-]+)(?:\[\S*\])?==(\S+)", text, re.MULTILINE))
    del versions["higgs-pipeline"]
    differing = {n: v for n, v in versions.items() if pinned.get(re.sub(r"[._]", "-", n), v) != v}
    assert differing == {}
    assert versions["tfx"] == "1.16.0"
    assert not {"pytest", "ruff", "uv"} & versions.keys()
