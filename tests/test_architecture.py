"""Rules of the layout, checked in the sources: imports, cycles, and where names are defined."""

import ast
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from formats import names
from formats.features import FEATURES, LEVEL_COUNT

ROOT = Path(__file__).parents[1]

# The other packages that a package may import.
ALLOWED = {
    "formats": (),
    "models": ("formats",),
    "components": ("formats",),
    "pipeline": ("components", "formats", "configs"),
    "kubeflow": ("pipeline", "components", "formats"),
}
# The command line is the one part of pipeline that may start a run in the cloud.
CLI = ("pipeline/cli",)
PACKAGES = (*ALLOWED, "configs", "tests", "benchmarks")

# The description of the record, and its physics; the toy Monte Carlo makes such records.
DATA_SET = ("formats/features.py", "models/physics/", "pipeline/schema/")


def product_files(package, suffixes=(".py",)):
    return [file for file in sorted((ROOT / package).rglob("*")) if file.suffix in suffixes]


def relative(file):
    return str(file.relative_to(ROOT))


def imported_modules(file):
    modules = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return modules


def violations(package):
    problems = []
    for file in product_files(package):
        allowed = {package, *ALLOWED[package]}
        if relative(file).startswith(CLI):
            allowed.add("kubeflow")
        for module in imported_modules(file):
            top = module.split(".")[0]
            if top in PACKAGES and top not in allowed:
                problems.append(f"{relative(file)} imports {module}")
    return problems


def string_literals(file):
    """Strings in the code of a file, without its docstrings."""
    tree = ast.parse(file.read_text())
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
    ]


@pytest.mark.slow
@pytest.mark.parametrize("package", ALLOWED)
def test_imports_stay_within_the_layers(package):
    assert violations(package) == []


def test_a_forbidden_import_is_found(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "bad.py").write_text("from pipeline.config import Config\n")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert violations("models")[0] == "models/bad.py imports pipeline.config"


def module_graph():
    modules = {
        relative(file)[:-3].replace("/", ".").removesuffix(".__init__"): file
        for package in ALLOWED
        for file in product_files(package)
    }
    return {
        module: {name for name in imported_modules(file) if name in modules} - {module}
        for module, file in modules.items()
    }


def find_cycle(graph):
    """Returns modules that import each other in a circle, or nothing."""
    done, path = set(), []

    def visit(module):
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        path.append(module)
        for imported in sorted(graph[module]):
            if cycle := visit(imported):
                return cycle
        done.add(path.pop())
        return []

    return next((cycle for module in sorted(graph) if (cycle := visit(module))), [])


@pytest.mark.slow
def test_no_module_imports_itself_by_way_of_others():
    assert find_cycle(module_graph()) == []


def test_a_cycle_is_found():
    assert find_cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["b", "c", "b"]


def test_file_names_are_unique():
    shared_names = {"__init__.py", "component.py", "executor.py"}
    files = defaultdict(list)
    for package in ALLOWED:
        for file in product_files(package):
            files[file.name].append(relative(file))
    repeated = {name: paths for name, paths in files.items() if paths[1:]}
    assert set(repeated) <= shared_names, repeated


def test_every_component_has_a_component_and_an_executor():
    packages = [path for path in (ROOT / "components").iterdir() if (path / "__init__.py").exists()]
    assert len(packages) >= 9
    for package in packages:
        assert (package / "component.py").exists(), package
        assert (package / "executor.py").exists(), package


def test_the_data_set_is_described_in_one_place():
    column = re.compile(rf"\b({'|'.join((*FEATURES, LEVEL_COUNT))})\b")
    offenders = [
        f"{relative(file)}: {match[0]}"
        for package in ALLOWED
        for file in product_files(package, (".py", ".html", ".js"))
        if not relative(file).startswith(DATA_SET)
        for match in [column.search(file.read_text())]
        if match
    ]
    assert offenders == []


# Names whose only definition is in formats/names.py; BeamNode must list literals for pydantic.
DEFINED_ONCE = {
    *(value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)),
} - {"label", "train", "eval", "pushed", "blessed", "absent"}
EXCEPTIONS = {"formats/names.py", "pipeline/config.py", "components/serving_check/probe.py"}


@pytest.mark.slow
def test_node_ids_signatures_and_file_names_are_defined_once():
    offenders = Counter(
        f"{relative(file)}: {text}"
        for package in ALLOWED
        for file in product_files(package)
        if relative(file) not in EXCEPTIONS
        for text in string_literals(file)
        if text in DEFINED_ONCE
    )
    assert offenders == Counter()


def test_only_the_trainer_knows_tfx_in_models():
    modules = {
        relative(file)
        for file in product_files("models")
        if any(module.split(".")[0] == "tfx" for module in imported_modules(file))
    }
    assert modules == {"models/trainer.py"}


@pytest.mark.slow
def test_keras_3_is_never_imported():
    offenders = [
        relative(file)
        for package in ALLOWED
        for file in product_files(package)
        if "keras" in {module.split(".")[0] for module in imported_modules(file)}
    ]
    assert offenders == []
