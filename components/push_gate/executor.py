"""Executor of PushGate."""

import logging

from tfx.types import Artifact

from formats.errors import NotPushedError
from formats.gate_decision import read_decision
from formats.names import BLESSED_PROPERTY, PUSHED_PROPERTY

logger = logging.getLogger("higgs.push_gate")


def require_push(pushed_model: Artifact, evaluation: Artifact, infra_blessing: Artifact) -> None:
    """Checks that Pusher pushed a model, or that the one in service is kept on purpose.

    Args:
        pushed_model: Pusher's output.
        evaluation: the Evaluator's, whose configuration says what an undecided comparison means.
        infra_blessing: ServingCheck's output.

    Raises:
        NotPushedError: a blessing was withheld.
    """
    if pushed_model.get_int_custom_property(PUSHED_PROPERTY):
        return
    is_servable = infra_blessing.get_int_custom_property(BLESSED_PROPERTY)
    if is_servable and read_decision(evaluation.uri).keeps_baseline:
        logger.warning("kept the model in service: the comparison with it is undecided")
        return
    raise NotPushedError(
        "no model was pushed: Evaluator or ServingCheck withheld its blessing; their blessing and "
        "evaluation artifacts hold the reason"
    )
