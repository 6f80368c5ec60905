import sys

import pytest

from pipeline.code_version import code_digest
from pipeline.config import Config
from pipeline.graph import create_pipeline


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "some_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (folder / "network.py").write_text("units = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def test_an_edit_changes_the_digest_and_nothing_is_imported(package):
    before = code_digest("some_package")
    assert code_digest("some_package") == before
    (package / "network.py").write_text("units = 2\n")
    assert code_digest("some_package") != before
    assert "some_package" not in sys.modules


def test_a_new_file_changes_the_digest(package):
    before = code_digest("some_package")
    (package / "layers.py").touch()
    assert code_digest("some_package") != before


def test_a_module_is_its_file():
    assert code_digest("formats.features") != code_digest("models")


def test_an_unknown_package_is_an_error():
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        code_digest("no_such_package")


def test_nodes_that_run_our_code_carry_its_digest():
    config = Config(data_root="/data", root="/root", ingestion={"layout": "folders"})
    flags = {
        node.id: node.executor_spec.extra_flags
        for node in create_pipeline(config).components
        if hasattr(node.executor_spec, "extra_flags")
    }
    assert flags["Trainer"] == [f"--code_version={code_digest('models')}"]
    marked = {name for name, extra in flags.items() if extra}
    assert marked == {
        "CollisionExampleGen",
        "StatisticsGen",
        "HistogramGen",
        "DataGate",
        "Trainer",
        "Evaluator",
        "ServingCheck",
    }
    # A graph made again must not add to the flags of the first.
    again = {node.id: node for node in create_pipeline(config).components}
    assert again["Trainer"].executor_spec.extra_flags == flags["Trainer"]
