"""ServingCheck: the component."""

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import InfraBlessing, Model, ModelRun

from components.serving_check import executor
from components.serving_check.probe_process import Limits


@component
def ServingCheck(  # noqa: N802 (named as TFX names nodes)
    model: InputArtifact[Model],
    model_run: InputArtifact[ModelRun],
    blessing: OutputArtifact[InfraBlessing],
    timeout_minutes: Parameter[int] = 10,
    memory_gb: Parameter[int] = 16,
) -> None:
    """Loads the export in a fresh process and compares its scores with the trained model's.

    A fault of the export withholds the blessing and is written to the blessing's file; it does not
    fail the run. A check that could not be finished fails the run, and the next run repeats it.

    Args:
        model: the export.
        model_run: holds the trained model's scores.
        blessing: 1 or 0.
        timeout_minutes: wall time of the check.
        memory_gb: memory that the process of the check may allocate, in units of 2**30 bytes.

    Component ``outputs`` contains:

    - ``blessing``: ``standard_artifacts.InfraBlessing``, as InfraValidator writes it.

    Example:
    ```python
    check = ServingCheck(model=trainer.outputs["model"], model_run=trainer.outputs["model_run"])
    ```
    """
    executor.check_serving(model, model_run, blessing, Limits(timeout_minutes, memory_gb))
