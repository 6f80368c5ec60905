"""PushGate, the node: makes a run that pushed nothing a failed one, where no one else tells."""

from tfx.dsl.component.experimental.annotations import InputArtifact
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import PushedModel

PUSHED_PROPERTY = "pushed"
"""Pusher's custom property: 1 when the model was pushed, 0 when a blessing was withheld."""


class NotPushedError(RuntimeError):
    """No model was pushed, because a blessing was withheld."""


@component
def PushGate(  # noqa: N802 (a node is named as TFX names nodes)
    pushed_model: InputArtifact[PushedModel],
) -> None:
    """Fails the run when no model was pushed.

    `higgs run` reads that from the metadata and exits with 3. An engine in the cloud shows
    which node failed and little else, so there a node has to say it.

    Raises:
      NotPushedError: a blessing was withheld.
    """
    if not pushed_model.get_int_custom_property(PUSHED_PROPERTY):
        raise NotPushedError(
            "no model was pushed: Evaluator or ServingCheck withheld its blessing; their "
            "blessing and evaluation artifacts say why"
        )
