import pytest
from tfx.types import standard_artifacts

from components.baseline.resolver import LatestOtherBlessedModel


@pytest.fixture(autouse=True)
def _exports(tmp_path, monkeypatch):
    """Exports of models 1 to 4, under the folder where the models are."""
    monkeypatch.chdir(tmp_path)
    for number in range(1, 5):
        export = tmp_path / str(number) / "Format-Serving"
        export.mkdir(parents=True)
        (export / "saved_model.pb").touch()


def model(number):
    artifact = standard_artifacts.Model()
    artifact.id = number
    artifact.uri = str(number)
    artifact.mlmd_artifact.create_time_since_epoch = number
    return artifact


def blessing(of, blessed=1):
    artifact = standard_artifacts.ModelBlessing()
    artifact.id = 100 + of
    artifact.set_int_custom_property("current_model_id", of)
    artifact.set_int_custom_property("blessed", blessed)
    return artifact


def resolve(candidate, models, blessings):
    resolved = LatestOtherBlessedModel().resolve_artifacts(
        None,
        {"candidate": [model(candidate)], "model": models, "model_blessing": blessings},
    )
    assert [artifact.id for artifact in resolved["candidate"]] == [candidate]
    return [artifact.id for artifact in resolved["model"]]


def test_no_baseline_in_a_first_run():
    assert resolve(1, [model(1)], []) == []


def test_a_blessed_candidate_is_not_its_own_baseline():
    assert resolve(1, [model(1)], [blessing(1)]) == []


def test_the_latest_other_blessed_model():
    models = [model(1), model(2), model(3)]
    assert resolve(3, models, [blessing(1), blessing(2), blessing(3)]) == [2]
    assert resolve(4, [*models, model(4)], [blessing(1), blessing(2, blessed=0)]) == [1]
    assert resolve(1, models, [blessing(1), blessing(2)]) == [2]


def test_a_model_whose_export_was_deleted_is_ignored(tmp_path):
    (tmp_path / "2" / "Format-Serving" / "saved_model.pb").unlink()
    models = [model(1), model(2), model(3)]
    assert resolve(3, models, [blessing(1), blessing(2)]) == [1]


def test_without_a_candidate_the_latest_blessed_model_is_resolved():
    inputs = {"model": [model(1), model(2)], "model_blessing": [blessing(1), blessing(2)]}
    resolved = LatestOtherBlessedModel().resolve_artifacts(None, inputs)
    assert [artifact.id for artifact in resolved["model"]] == [2]
    assert "candidate" not in resolved
