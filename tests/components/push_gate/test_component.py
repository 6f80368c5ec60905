import pytest
from tfx.types.standard_artifacts import InfraBlessing, ModelEvaluation, PushedModel

from components.push_gate.component import PushGate
from formats.errors import NotPushedError


def pushed_model(pushed):
    artifact = PushedModel()
    artifact.set_int_custom_property("pushed", pushed)
    return artifact


@pytest.fixture
def close(make, tmp_path):
    """Calls PushGate after an evaluation that a bound of the AUC's change leaves undecided."""

    def call(artifact, when_undecided="refuse", servable=1):
        models = {
            model: {"": (make.metrics(auc), make.scores())}
            for model, auc in (("candidate", 0.801), ("baseline", 0.8))
        }
        changes = {"auc_change_lower_bound": -0.01}
        folder = tmp_path / "evaluation"
        make.evaluation_files(
            folder, models, passed=False, changes=changes, when_undecided=when_undecided
        )
        evaluation, blessing = ModelEvaluation(), InfraBlessing()
        evaluation.uri = str(folder)
        blessing.set_int_custom_property("blessed", servable)
        PushGate.test_call(pushed_model=artifact, evaluation=evaluation, infra_blessing=blessing)

    return call


def test_a_pushed_model_passes(close):
    close(pushed_model(1))


@pytest.mark.parametrize("artifact", [pushed_model(0), PushedModel()])
def test_a_withheld_push_fails_and_says_where_to_look(close, artifact):
    with pytest.raises(NotPushedError, match="Evaluator or ServingCheck withheld its blessing"):
        close(artifact)


def test_keeping_the_model_in_service_on_purpose_is_not_a_failure(close):
    close(pushed_model(0), when_undecided="keep-baseline")


def test_a_model_that_cannot_be_served_fails_although_the_comparison_is_undecided(close):
    with pytest.raises(NotPushedError):
        close(pushed_model(0), when_undecided="keep-baseline", servable=0)
