"""Executor of PushGate."""

from tfx.types import Artifact

from formats.errors import NotPushedError
from formats.names import PUSHED_PROPERTY


def require_push(pushed_model: Artifact) -> None:
    """Checks that Pusher pushed a model.

    Raises:
        NotPushedError: a blessing was withheld.
    """
    if not pushed_model.get_int_custom_property(PUSHED_PROPERTY):
        raise NotPushedError(
            "no model was pushed: Evaluator or ServingCheck withheld its blessing; their "
            "blessing and evaluation artifacts hold the reason"
        )
