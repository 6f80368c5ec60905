"""Executor of DataGate: reads the artifacts, runs the checks, raises or writes the verdict."""

import logging
from collections.abc import Iterator, Mapping
from functools import partial

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.io import fileio
from tfx.types import Artifact, artifact_utils
from tfx.types.standard_artifacts import Examples
from tfx.utils import io_utils

from components.data_gate.class_balance import count_classes, find_imbalances
from components.data_gate.data_problems import find_problems
from components.data_gate.repeated_events import Repetitions, find_repetitions, first_shared
from components.data_gate.value_search import find_values
from formats import data_verdict, names
from formats.data_verdict import DataVerdictFile
from formats.errors import DataRefusedError
from formats.ingested_shards import IngestionFile, read_ingestion
from formats.invalid_values import from_json

logger = logging.getLogger("higgs.data_gate")


def check_data(
    examples: Examples,
    statistics: Artifact,
    schema: Artifact,
    anomalies: Artifact,
    max_duplicate_share: float,
    verdict: Artifact,
) -> None:
    """Checks every split and all of them together; writes ``verdict.json`` without problems.

    Raises:
        DataRefusedError: lists every reason, for every split.
    """
    splits = artifact_utils.decode_split_names(examples.split_names)
    events = {
        split: examples.get_int_custom_property(names.events_property(split)) for split in splits
    }
    ingestion = read_ingestion(examples.uri)
    repetitions = find_repetitions(examples.uri, splits)
    problems = [
        *([ingestion.manifest_problem] if ingestion.manifest_problem else []),
        *_split_problems(examples, events, statistics, schema, anomalies),
        *_shared_problems(examples.uri, events, repetitions, ingestion),
        *_duplicate_problems(events, repetitions.duplicates, max_duplicate_share),
    ]
    if problems:
        reasons = "\n".join(f"  - {problem}" for problem in problems)
        count = f"{len(problems)} reason{'s' if problems[1:] else ''}"
        raise DataRefusedError(f"the data was refused, {count}:\n{reasons}")
    counts = ", ".join(f"{count:,} {split} events" for split, count in events.items())
    logger.info("no anomaly in %s", counts)
    for split, repeated in repetitions.duplicates.items():
        if repeated:
            logger.info("%s: %s", split, _repeated(repeated, events[split]))
    with fileio.open(f"{verdict.uri}/{data_verdict.FILE_NAME}", "w") as file:
        content = DataVerdictFile(events=events, duplicates=repetitions.duplicates)
        file.write(content.model_dump_json(indent=2))


def _split_problems(
    examples: Examples,
    events: Mapping[str, int],
    statistics: Artifact,
    schema: Artifact,
    anomalies: Artifact,
) -> Iterator[str]:
    """Yields the reasons that follow from the statistics of the splits."""
    reviewed = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema.uri))
    measured = {
        split: stats_artifact_utils.load_statistics(statistics, split).proto().datasets[0]
        for split in events
    }
    for split in events:
        invalid_values = examples.get_string_custom_property(names.invalid_values_property(split))
        yield from find_problems(
            split=split,
            ingested=events[split],
            invalid_columns=from_json(invalid_values),
            statistics=measured[split],
            anomalies=_load_anomalies(anomalies, split),
            schema=reviewed,
            search=partial(find_values, examples.uri, split),
        )
    yield from find_imbalances({split: count_classes(part) for split, part in measured.items()})


def _shared_problems(
    uri: str, events: Mapping[str, int], repetitions: Repetitions, ingestion: IngestionFile
) -> Iterator[str]:
    """Yields one reason per pair of splits with common events."""
    for pair, count in repetitions.shared.items():
        places = first_shared(uri, pair, repetitions.hashes[pair], ingestion)
        if places is None:
            continue
        first, second = pair
        yield (
            f"{first} and {second}: {count} of {events[second]} {second} events are also in "
            f"{first}, where a model can memorize them; the first is {places[0]}, the same as "
            f"{places[1]} (records are counted from 0): remove them from one of the splits, or put "
            "all shards into one folder, where equal events are in the same split"
        )


def _duplicate_problems(
    events: Mapping[str, int], duplicates: Mapping[str, int], limit: float
) -> Iterator[str]:
    for split, count in duplicates.items():
        if count > limit * events[split]:
            yield (
                f"{split}: {_repeated(count, events[split])}, more than the {limit:.1%} that are "
                "allowed: remove the repetitions; in a run, ingestion.max_duplicate_share is the "
                "limit"
            )


def _repeated(count: int, events: int) -> str:
    verb = "repeats" if count == 1 else "repeat"
    return f"{count} of {events} events {verb} an earlier one ({count / events:.2%})"


def _load_anomalies(artifact: Artifact, split: str) -> anomalies_pb2.Anomalies:
    uri = artifact_utils.get_split_uri([artifact], split)
    with fileio.open(f"{uri}/{names.ANOMALIES_FILE}", "rb") as file:
        return anomalies_pb2.Anomalies.FromString(file.read())
