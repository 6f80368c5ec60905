"""The cache keys of nodes: the digest of the code that each node runs."""

import json
import os
import shutil

import numpy as np
import pytest
from forks import ADDRESS_VARIABLE, run_in_fork

from formats import source_version
from formats.source_version import project_version, source_digest
from kubeflow.cloud_targets import KubeflowTarget
from pipeline import code_version as versions
from pipeline.code_version import (
    code_version,
    import_closure,
    modules_version,
    node_packages,
    root_modules,
)
from pipeline.config import load_config
from pipeline.graph import create_pipeline


@pytest.fixture(scope="module")
def nodes():
    """Every node that can be in a graph: Kubeflow's has those of this machine, and three more."""
    config = load_config("configs/kubeflow.yaml")
    return {node.id: node for node in create_pipeline(config, KubeflowTarget(config)).components}


@pytest.fixture(scope="module")
def roots(nodes):
    return {name: root_modules(node) for name, node in nodes.items()}


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A copy of the sources that a test may edit."""
    for package in source_version.PACKAGES:
        shutil.copytree(source_version.SOURCE_ROOT / package, tmp_path / package)
    monkeypatch.setattr(source_version, "SOURCE_ROOT", tmp_path)
    return tmp_path


def digests(roots):
    return {
        name: source_digest(import_closure(modules)) for name, modules in roots.items() if modules
    }


def packages_of(node):
    return node_packages(node, import_closure(root_modules(node)))


@pytest.mark.slow
def test_every_node_carries_the_version_of_its_code(nodes):
    for name, node in nodes.items():
        assert node.executor_spec.extra_flags == [f"--code_version={code_version(node)}"], name
    assert len({code_version(node) for node in nodes.values()}) > len(nodes) // 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "changed"),
    [
        ("catboost", {"Trainer"}),
        ("scipy", {"DataGate", "Trainer"}),
        # TFMA imports it, and these read what the Evaluator decided.
        ("tf_keras", {"Trainer", "Evaluator", "Pusher", "PushGate", "Report"}),
        ("jinja2", {"Report"}),
        ("tensorflow_data_validation", {"StatisticsGen", "ExampleValidator", "SchemaGen"}),
        ("pydantic", set()),
        ("absl", set()),
    ],
)
def test_a_package_changes_the_keys_of_the_nodes_whose_result_it_determines(
    nodes, monkeypatch, package, changed
):
    before = {name: code_version(node) for name, node in nodes.items()}
    known = versions._version

    def version(name):
        return "99.0" if name == package else known(name)

    monkeypatch.setattr(versions, "_version", version)
    after = {name: code_version(node) for name, node in nodes.items()}
    assert {name for name in nodes if after[name] != before[name]} == changed


def test_tensorflow_and_numpy_are_part_of_every_key_that_they_determine(nodes):
    for name in ("Trainer", "Evaluator", "ServingCheck", "CollisionExampleGen"):
        assert {"numpy", "tensorflow", "tfx"} <= set(packages_of(nodes[name])), name
    assert set(packages_of(nodes["ImportSchemaGen"])) == {"apache_beam", "tfx"}


@pytest.mark.slow
def test_a_package_counts_from_its_first_import(nodes, sources):
    before = code_version(nodes["Trainer"])
    (sources / "models" / "more_trees.py").write_text("import sklearn.tree\n")
    network = sources / "models" / "network.py"
    network.write_text(network.read_text() + "\nfrom models import more_trees\n")
    # The distribution is named otherwise than the package.
    assert packages_of(nodes["Trainer"])["sklearn"].startswith("scikit-learn 1.")
    assert code_version(nodes["Trainer"]) != before


@pytest.mark.parametrize("module", ["intake/csv_reader", "intake/value_rules"])
def test_an_edit_changes_the_version_of_the_modules_that_import_it(sources, module):
    versions_of = [("pipeline.intake.scored_rows",), ("formats.features",)]
    before = [modules_version(*roots) for roots in versions_of]
    file = sources / "pipeline" / f"{module}.py"
    file.write_text(f"{file.read_text()}\n# edited\n")
    after = [modules_version(*roots) for roots in versions_of]
    assert [a == b for a, b in zip(after, before, strict=True)] == [False, True]


def test_a_package_is_part_of_the_version_of_modules(monkeypatch):
    before = modules_version("pipeline.intake.scored_rows")
    monkeypatch.setattr(versions, "_version", lambda name: "99" * (name == "pyarrow"))
    changed = modules_version("pipeline.intake.scored_rows")
    monkeypatch.setattr(versions, "_version", lambda name: "98" * (name == "pyarrow"))
    assert len({before, changed, modules_version("pipeline.intake.scored_rows")}) == 3


def test_packages_that_are_not_installed_are_left_out():
    assert versions.result_packages(["no_such_package.part", "os.path", "numpy.linalg"]) == {
        "numpy": np.__version__
    }


def test_parameters_name_the_code_of_stock_executors(roots):
    assert roots["Trainer"] == {"components.trainer.executor", "models.trainer"}
    assert roots["Evaluator"] == {
        "components.evaluator.executor",
        "components.evaluator.extractors",
        "components.evaluator.metrics",
    }


@pytest.mark.slow
def test_every_module_changes_the_keys_of_the_nodes_that_run_it_and_no_others(roots, sources):
    closures = {name: import_closure(modules) for name, modules in roots.items() if modules}
    before = {name: source_digest(closure) for name, closure in closures.items()}
    for module in sorted(set.union(*closures.values())):
        path = sources.joinpath(*module.split("."))
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        content = file.read_bytes()
        file.write_bytes(content + b"\n# edited\n")
        after = {name: source_digest(closure) for name, closure in closures.items()}
        changed = {name for name in closures if after[name] != before[name]}
        assert changed == {name for name, closure in closures.items() if module in closure}
        file.write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["CollisionExampleGen", "Trainer", "Evaluator"])
def test_closures_contain_every_module_that_is_really_imported(roots, name, tmp_path):
    """In a fork that has imported packages only."""
    script, output = tmp_path / "imports.py", tmp_path / "output"
    script.write_text(
        "import importlib, json, sys\n"
        "for root in sys.argv[1:]:\n"
        "    importlib.import_module(root)\n"
        f"packages = {source_version.PACKAGES!r}\n"
        "print(json.dumps([m for m in sys.modules if m.split('.')[0] in packages]))\n"
    )
    command = [str(script), *sorted(roots[name])]
    server = os.environ[ADDRESS_VARIABLE]
    assert run_in_fork(server, command, output, folder=tmp_path, environment=os.environ) == 0
    imported = set(json.loads(output.read_text().splitlines()[-1]))
    assert roots[name] <= imported <= import_closure(roots[name])


@pytest.mark.slow
def test_a_template_changes_the_key_of_the_report_alone(roots, sources):
    before = digests(roots)
    template = next((sources / "components" / "report").rglob("*.html"))
    template.write_text(template.read_text() + "\n")
    changed = {name for name, digest in digests(roots).items() if digest != before[name]}
    assert changed == {"Report"}


def test_a_lazy_import_is_part_of_the_closure_and_one_for_type_checkers_is_not(sources):
    (sources / "models" / "typed.py").write_text("")
    (sources / "models" / "lazy.py").write_text("")
    (sources / "models" / "root.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import models.typed\n"
        "def work():\n    from models import lazy\n"
    )
    assert import_closure({"models.root"}) == {"models", "models.root", "models.lazy"}


def test_the_digest_of_an_unknown_module_is_an_error():
    with pytest.raises(ModuleNotFoundError, match=r"models\.no_such_module"):
        source_digest(["models.no_such_module"])


def test_the_project_version_depends_on_every_source(sources):
    before = project_version()
    assert project_version() == before
    (sources / "pipeline" / "new_module.py").touch()
    assert project_version() != before


@pytest.mark.slow
def test_a_graph_that_is_made_again_has_the_same_flags(nodes):
    config = load_config("configs/kubeflow.yaml")
    again = {node.id: node for node in create_pipeline(config, KubeflowTarget(config)).components}
    assert again["Trainer"].executor_spec.extra_flags == nodes["Trainer"].executor_spec.extra_flags
