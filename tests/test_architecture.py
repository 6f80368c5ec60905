"""Who may import whom, read from the source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Modules of another package that a package may import; its own are always allowed.
ALLOWED = {
    "models": (),
    "components": ("formats.features",),
    # Pure data: the columns, and the hyperparameters that the configuration embeds.
    # Everything else of models is named by a dotted string.
    "pipeline": ("components", "formats.features", "formats.hyperparameters", "configs"),
    "kubeflow": ("pipeline", "components"),
}
PACKAGES = ("models", "components", "pipeline", "kubeflow", "configs", "tests", "benchmarks")


def imported_modules(file: Path) -> list[str]:
    modules = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return modules


def violations(package: str) -> list[str]:
    found = []
    for file in sorted((ROOT / package).rglob("*.py")):
        for module in imported_modules(file):
            top = module.split(".")[0]
            if top == package or top not in PACKAGES:
                continue
            # `from a.b import c` yields both a.b and a.b.c: either may be the allowed one.
            prefixes = {".".join(module.split(".")[:n]) for n in range(1, module.count(".") + 2)}
            inside = prefixes & set(ALLOWED[package])
            parent = any(allowed.startswith(f"{module}.") for allowed in ALLOWED[package])
            if not inside and not parent:
                found.append(f"{file.relative_to(ROOT)} imports {module}")
    return found


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_stay_within_the_layers(package):
    assert violations(package) == []


def test_a_forbidden_import_is_found(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "bad.py").write_text("from pipeline.config import Config\n")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert violations("models")[0] == "models/bad.py imports pipeline.config"


def test_only_the_trainer_knows_tfx_in_models():
    knowing = [
        file.name
        for file in (ROOT / "models").rglob("*.py")
        if any(module.split(".")[0] == "tfx" for module in imported_modules(file))
    ]
    assert knowing == ["trainer.py"]


def test_keras_3_is_never_imported():
    offenders = [
        file
        for package in ALLOWED
        for file in (ROOT / package).rglob("*.py")
        if "keras" in {module.split(".")[0] for module in imported_modules(file)}
    ]
    assert offenders == []
