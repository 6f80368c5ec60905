"""DataGate, the node: reads the artifacts, asks the checks, raises or lets pass."""

import json
import logging

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import ExampleAnomalies, Examples, ExampleStatistics, Schema
from tfx.utils import io_utils

from components.data_gate.data_problems import find_problems
from components.example_gen.executor import events_property, unknown_codes_property
from formats.artifact_types import DataVerdict
from formats.errors import DataRefusedError
from formats.invalid_values import from_json

VERDICT_FILE = "verdict.json"

logger = logging.getLogger("higgs.data_gate")


@component
def DataGate(  # noqa: N802 (a node is named as TFX names nodes)
    examples: InputArtifact[Examples],
    statistics: InputArtifact[ExampleStatistics],
    schema: InputArtifact[Schema],
    anomalies: InputArtifact[ExampleAnomalies],
    verdict: OutputArtifact[DataVerdict],
) -> None:
    """Stops the run when any split is anomalous or lost events on the way.

    Raises:
      DataRefusedError: with every reason, of every split.
    """
    reviewed = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema.uri))
    events: dict[str, int] = {}
    problems: list[str] = []
    for split in artifact_utils.decode_split_names(examples.split_names):
        events[split] = examples.get_int_custom_property(events_property(split))
        problems += find_problems(
            split=split,
            ingested=events[split],
            unknown_codes=from_json(
                examples.get_string_custom_property(unknown_codes_property(split))
            ),
            statistics=stats_artifact_utils.load_statistics(statistics, split).proto().datasets[0],
            anomalies=_load_anomalies(anomalies, split),
            schema=reviewed,
        )
    if problems:
        reasons = "\n".join(f"  - {problem}" for problem in problems)
        raise DataRefusedError(f"the data was refused, {len(problems)} reasons:\n{reasons}")
    logger.info("no anomaly in %s", ", ".join(f"{n} {split} events" for split, n in events.items()))
    with fileio.open(f"{verdict.uri}/{VERDICT_FILE}", "w") as file:
        file.write(json.dumps({"events": events}, indent=2))


def _load_anomalies(artifact: ExampleAnomalies, split: str) -> anomalies_pb2.Anomalies:
    uri = artifact_utils.get_split_uri([artifact], split)
    with fileio.open(f"{uri}/SchemaDiff.pb", "rb") as file:
        return anomalies_pb2.Anomalies.FromString(file.read())
