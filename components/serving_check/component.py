"""ServingCheck: the component."""

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import InfraBlessing, Model, ModelRun

from components.serving_check import executor


@component
def ServingCheck(  # noqa: N802 (named as TFX names nodes)
    model: InputArtifact[Model],
    model_run: InputArtifact[ModelRun],
    blessing: OutputArtifact[InfraBlessing],
) -> None:
    """Loads the export in a fresh process and compares its scores with the trained model's.

    A fault withholds the blessing and is written to the blessing's file; it does not fail the
    run.

    Component ``outputs`` contains:

    - ``blessing``: ``standard_artifacts.InfraBlessing``, as InfraValidator writes it.

    Example:
    ```python
    check = ServingCheck(model=trainer.outputs["model"], model_run=trainer.outputs["model_run"])
    ```
    """
    executor.check_serving(model, model_run, blessing)
