"""The wheel that Beam workers and images install."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PACKAGES = ("components", "configs", "kubeflow", "models", "pipeline")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    # From a copy: setuptools leaves build/, from which a later wheel would take stale files.
    source = out / "source"
    wanted = [*PACKAGES, "setup.py", "pyproject.toml", "README.md", "higgs.py"]
    for name in wanted:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        source.mkdir(exist_ok=True)
        copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", str(out), str(source)]
    subprocess.run(command, check=True, cwd=out)
    (built,) = out.glob("*.whl")
    return zipfile.ZipFile(built)


def test_wheel_holds_schema_configs_and_every_module(wheel):
    names = set(wheel.namelist())
    assert {"pipeline/schema/schema.pbtxt", "higgs.py"} <= names
    assert {f"configs/{file.name}" for file in (ROOT / "configs").glob("*.yaml")} <= names
    sources = {
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
    }
    assert sources <= names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]


def test_wheel_brings_the_console_script(wheel):
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert b"higgs = pipeline.cli.main:main" in wheel.read(entry_points)


def test_constraints_are_exact_hashed_and_name_no_index():
    text = (ROOT / "constraints.txt").read_text()
    requirements = re.split(r"\n(?=[a-z0-9])", text)[1:]
    assert len(requirements) > 100
    for requirement in requirements:
        assert re.match(r"[a-z0-9._-]+(\[[a-z,-]+\])?==\S+", requirement), requirement[:80]
        assert "--hash=sha256:" in requirement, requirement[:80]
    assert "://" not in text
    assert "make constraints" in text.splitlines()[1]
