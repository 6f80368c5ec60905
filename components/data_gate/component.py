"""DataGate: the component."""

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import ExampleAnomalies, Examples, ExampleStatistics, Schema

from components.data_gate import executor
from formats.artifact_types import DataVerdict


@component
def DataGate(  # noqa: N802 (named as TFX names nodes)
    examples: InputArtifact[Examples],
    statistics: InputArtifact[ExampleStatistics],
    schema: InputArtifact[Schema],
    anomalies: InputArtifact[ExampleAnomalies],
    verdict: OutputArtifact[DataVerdict],
    max_duplicate_share: Parameter[float] = 1.0,
) -> None:
    """Stops the run if a split is anomalous, lost events, or shares events with another one.

    ``max_duplicate_share`` is the largest share of a split's events that repeat an earlier one.

    Component ``outputs`` contains:

    - ``verdict``: ``higgs.DataVerdict``, written only if the data passes.

    Example:
    ```python
    gate = DataGate(
        examples=example_gen.outputs["examples"],
        statistics=statistics_gen.outputs["statistics"],
        schema=schema_importer.outputs["schema"],
        anomalies=example_validator.outputs["anomalies"],
    )
    trainer.add_upstream_node(gate)
    ```

    Raises:
        DataRefusedError: lists every reason, for every split.
    """
    executor.check_data(examples, statistics, schema, anomalies, max_duplicate_share, verdict)
