from tfx.types import standard_artifacts

from components.baseline import LatestOtherBlessedModel


def model(number):
    artifact = standard_artifacts.Model()
    artifact.id = number
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
