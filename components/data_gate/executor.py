"""Executor of DataGate: reads the artifacts, runs the checks, raises or writes the verdict."""

import logging

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.io import fileio
from tfx.types import Artifact, artifact_utils
from tfx.types.standard_artifacts import Examples
from tfx.utils import io_utils

from components.data_gate.data_problems import find_problems
from formats import data_verdict, names
from formats.data_verdict import DataVerdictFile
from formats.errors import DataRefusedError
from formats.invalid_values import from_json

logger = logging.getLogger("higgs.data_gate")


def check_data(
    examples: Examples,
    statistics: Artifact,
    schema: Artifact,
    anomalies: Artifact,
    verdict: Artifact,
) -> None:
    """Checks every split and writes ``verdict.json`` if there are no problems.

    Raises:
        DataRefusedError: lists every reason, for every split.
    """
    reviewed = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema.uri))
    events: dict[str, int] = {}
    problems: list[str] = []
    for split in artifact_utils.decode_split_names(examples.split_names):
        events[split] = examples.get_int_custom_property(names.events_property(split))
        problems += find_problems(
            split=split,
            ingested=events[split],
            invalid_columns=from_json(
                examples.get_string_custom_property(names.invalid_values_property(split))
            ),
            statistics=stats_artifact_utils.load_statistics(statistics, split).proto().datasets[0],
            anomalies=_load_anomalies(anomalies, split),
            schema=reviewed,
        )
    if problems:
        reasons = "\n".join(f"  - {problem}" for problem in problems)
        count = f"{len(problems)} reason{'s' if problems[1:] else ''}"
        raise DataRefusedError(f"the data was refused, {count}:\n{reasons}")
    logger.info("no anomaly in %s", ", ".join(f"{n} {split} events" for split, n in events.items()))
    with fileio.open(f"{verdict.uri}/{data_verdict.FILE_NAME}", "w") as file:
        file.write(DataVerdictFile(events=events).model_dump_json(indent=2))


def _load_anomalies(artifact: Artifact, split: str) -> anomalies_pb2.Anomalies:
    uri = artifact_utils.get_split_uri([artifact], split)
    with fileio.open(f"{uri}/{names.ANOMALIES_FILE}", "rb") as file:
        return anomalies_pb2.Anomalies.FromString(file.read())
