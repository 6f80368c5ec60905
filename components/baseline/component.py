"""ModelInService: the component, a baseline for runners without a queryable metadata store."""

from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import Model

from components.baseline import executor


@component
def ModelInService(  # noqa: N802 (named as TFX names nodes)
    push_directory: Parameter[str],
    model: OutputArtifact[Model],
) -> None:
    """Copies the newest model of the push directory, where Pusher keeps one folder per version.

    Every pushed model was blessed, so this is the latest blessed model, and never the candidate
    of the same run. For an empty push directory the artifact is marked as absent.

    Component ``outputs`` contains:

    - ``model``: ``standard_artifacts.Model``.

    Example:
    ```python
    baseline = ModelInService(push_directory="/mnt/models/higgs").with_id("Baseline")
    ```
    """
    executor.copy_newest(push_directory, model)
