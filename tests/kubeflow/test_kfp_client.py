"""The newest kfp client, in an environment of its own: TFX needs 2.5."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from engine.image import run_from_cache

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("kfp")]

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent

CONFIGURATIONS = {
    "shipped": (),
    "gpu, volume of artifacts and retries": (
        "kubeflow.artifacts_volume=/mnt/data",
        "kubeflow.resources={Trainer: {accelerator: nvidia.com/gpu, memory_gb: 16}}",
        "kubeflow.retries=3",
    ),
    "without volumes": (
        "kubeflow.volumes=[]",
        "root=gs://b/higgs",
        "data_root=gs://b/data",
        "trainer.checkpoints=gs://b/checkpoints",
        "push.directory=gs://b/models",
    ),
}


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kfp")
    uv = BIN / "uv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    python = folder / "bin" / "python"
    requirements = ["--require-hashes", "--requirement", HERE / "requirements-kfp.txt"]
    run_from_cache([uv, "pip", "install", "-q", "--python", python, *requirements])
    return python


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_newest_client_recompiles_the_file_unchanged(name, compiled, python, tmp_path):
    file = compiled("kubeflow", *CONFIGURATIONS[name])
    out = tmp_path / "recompiled.yaml"
    process = subprocess.run(
        [python, HERE / "kfp_recompile.py", file, out], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr[-2000:]
    ours, recompiled = (list(yaml.safe_load_all(path.read_text())) for path in (file, out))
    assert recompiled == ours


def test_the_newest_client_rejects_an_unknown_field(compiled, python, tmp_path):
    spec, *platform = yaml.safe_load_all(compiled("kubeflow").read_text())
    spec["root"]["dag"]["unknownField"] = 1
    file = tmp_path / "unknown.yaml"
    file.write_text(yaml.safe_dump_all([spec, *platform]))
    process = subprocess.run(
        [python, HERE / "kfp_recompile.py", file, tmp_path / "out.yaml"],
        capture_output=True,
        text=True,
    )
    assert process.returncode != 0
    assert "unknownField" in process.stderr
