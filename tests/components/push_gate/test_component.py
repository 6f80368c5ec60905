import pytest
from tfx.types.standard_artifacts import PushedModel

from components.push_gate.component import PushGate
from formats.errors import NotPushedError


def pushed_model(pushed):
    artifact = PushedModel()
    artifact.set_int_custom_property("pushed", pushed)
    return artifact


def test_a_pushed_model_passes():
    PushGate.test_call(pushed_model=pushed_model(1))


@pytest.mark.parametrize("artifact", [pushed_model(0), PushedModel()])
def test_a_withheld_push_fails_and_says_where_to_look(artifact):
    with pytest.raises(NotPushedError, match="Evaluator or ServingCheck withheld its blessing"):
        PushGate.test_call(pushed_model=artifact)
