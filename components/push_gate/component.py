"""PushGate: the component."""

from tfx.dsl.component.experimental.annotations import InputArtifact
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import InfraBlessing, ModelEvaluation, PushedModel

from components.push_gate import executor


@component
def PushGate(  # noqa: N802 (named as TFX names nodes)
    pushed_model: InputArtifact[PushedModel],
    evaluation: InputArtifact[ModelEvaluation],
    infra_blessing: InputArtifact[InfraBlessing],
) -> None:
    """Fails the run if no model was pushed, unless `evaluation.when_undecided` says otherwise.

    `higgs run` reads that from the metadata and exits with 3. A cloud engine shows little more than
    which node failed, so a node has to fail there.

    Example:
    ```python
    gate = PushGate(
        pushed_model=pusher.outputs["pushed_model"],
        evaluation=evaluator.outputs["evaluation"],
        infra_blessing=serving_check.outputs["blessing"],
    )
    ```

    Raises:
        NotPushedError: a blessing was withheld.
    """
    executor.require_push(pushed_model, evaluation, infra_blessing)
