import pytest
from export_makers import push
from tfx.types.standard_artifacts import Model

from components.baseline.component import ModelInService
from formats.names import ABSENT_PROPERTY


@pytest.fixture
def serving(tmp_path):
    return tmp_path / "serving"


@pytest.fixture
def model(tmp_path):
    artifact = Model()
    artifact.uri = str(tmp_path / "model")
    return artifact


def test_the_newest_version_is_copied_to_where_evaluator_looks(serving, model, tmp_path):
    push(serving, "7")
    ModelInService.test_call(push_directory=str(serving), model=model)
    assert model.get_int_custom_property(ABSENT_PROPERTY) == 0
    export = tmp_path / "model" / "Format-Serving"
    assert (export / "saved_model.pb").read_text() == "7"
    assert (export / "variables" / "variables.index").read_text() == "7"


def test_without_a_model_the_artifact_is_marked_as_absent(serving, model, tmp_path):
    ModelInService.test_call(push_directory=str(serving), model=model)
    assert model.get_int_custom_property(ABSENT_PROPERTY) == 1
    assert not (tmp_path / "model").exists()
