"""The data of a run, read from its statistics, histograms and anomalies; never from the events."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2
from tfx.dsl.io import fileio
from tfx.utils import io_utils

from components.data_gate.data_problems import find_problems
from components.example_gen.executor import events_property, unknown_codes_property
from formats import histograms
from formats.features import LABEL
from formats.invalid_values import from_json as codes_from_json
from formats.run_outcome import RunOutcome

SPLITS = ("train", "eval")

AnyMessage = TypeVar("AnyMessage", bound=Message)


@dataclass(frozen=True)
class FeatureStatistics:
    """One column of a split, as TFDV measured it, in published units."""

    name: str
    mean: float
    spread: float
    low: float
    median: float
    high: float
    zeros: int
    missing: int


@dataclass(frozen=True)
class Split:
    """One split of the data.

    Attributes:
      name: ``train`` or ``eval``.
      events: how many were ingested.
      signal: how many of them are signal; None where that was not measured.
      features: the statistics by name, without the label's.
      problems: why it must not be learned from, in DataGate's words; None where nobody has looked,
        or what was found could not be read.
      histograms: by feature; none where they were not counted.
      fingerprint: of its events; nothing where they were not counted.
    """

    name: str
    events: int
    signal: int | None
    features: Mapping[str, FeatureStatistics]
    problems: tuple[str, ...] | None
    histograms: Mapping[str, histograms.ClassHistogram]
    fingerprint: str


Histograms = Mapping[str, histograms.SplitHistograms]
"""By split."""


def ingested_splits(outcome: RunOutcome) -> dict[str, int]:
    """The number of events by split; none when the run did not get that far."""
    examples = outcome.output("CollisionExampleGen", "examples")
    counts = {
        split: examples and examples.properties.get(events_property(split)) for split in SPLITS
    }
    return {split: count for split, count in counts.items() if isinstance(count, int)}


def read_statistics(
    outcome: RunOutcome, split: str
) -> statistics_pb2.DatasetFeatureStatistics | None:
    """A split's statistics; None when they were not measured.

    Raises:
      ValueError: there are none where they should be.
    """
    output = outcome.output("StatisticsGen", "statistics")
    if output is None:
        return None
    path = f"{output.uri}/Split-{split}/FeatureStats.pb"
    datasets = _parse(path, statistics_pb2.DatasetFeatureStatisticsList()).datasets
    if not datasets:
        raise ValueError(f"no statistics in {path}")
    return datasets[0]


def read_histograms(outcome: RunOutcome) -> Histograms:
    """Each split's histograms; none when they were not counted.

    Raises:
      ValueError: the file holds no histograms.
    """
    output = outcome.output("HistogramGen", "histograms")
    if output is None:
        return {}
    return histograms.from_json(_read(f"{output.uri}/{histograms.FILE_NAME}").decode())


def read_problems(
    outcome: RunOutcome,
    split: str,
    events: int,
    statistics: statistics_pb2.DatasetFeatureStatistics,
) -> tuple[str, ...] | None:
    """Why a split must not be learned from; None when nobody has looked.

    Args:
      outcome: the run.
      split: its name.
      events: how many were ingested.
      statistics: of the split.

    Raises:
      ValueError: a file is no protocol buffer.
    """
    examples = outcome.output("CollisionExampleGen", "examples")
    anomalies = outcome.output("ExampleValidator", "anomalies")
    schema = outcome.output("ImportSchemaGen", "schema")
    if not (examples and anomalies and schema):
        return None
    reviewed = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema.uri))
    codes = codes_from_json(str(examples.properties[unknown_codes_property(split)]))
    path = f"{anomalies.uri}/Split-{split}/SchemaDiff.pb"
    found = _parse(path, anomalies_pb2.Anomalies())
    return tuple(find_problems(split, events, codes, statistics, found, reviewed))


def describe_split(
    name: str,
    events: int,
    statistics: statistics_pb2.DatasetFeatureStatistics | None,
    problems: tuple[str, ...] | None,
    counted: histograms.SplitHistograms | None,
) -> Split:
    """A split, from what is known of it; columns that hold no numbers are left out."""
    columns = {
        feature.path.step[0]: feature.num_stats
        for feature in (statistics.features if statistics else ())
        if feature.path.step and feature.HasField("num_stats")
    }
    label = columns.pop(LABEL, None)
    return Split(
        name=name,
        events=events,
        signal=None if label is None else _signal(label),
        features={column: _feature(column, numbers) for column, numbers in columns.items()},
        problems=problems,
        histograms=counted.features if counted else {},
        fingerprint=counted.fingerprint if counted else "",
    )


def _signal(label: statistics_pb2.NumericStatistics) -> int | None:
    signal = label.mean * label.common_stats.num_non_missing
    return round(signal) if math.isfinite(signal) else None


def _feature(name: str, numbers: statistics_pb2.NumericStatistics) -> FeatureStatistics:
    nan = numbers.histograms[0].num_nan if numbers.histograms else 0
    return FeatureStatistics(
        name,
        mean=numbers.mean,
        spread=numbers.std_dev,
        low=numbers.min,
        median=numbers.median,
        high=numbers.max,
        zeros=numbers.num_zeros,
        missing=numbers.common_stats.num_missing + nan,
    )


def _parse(path: str, message: AnyMessage) -> AnyMessage:
    """Reads a message from a file; never a part of one, and never nothing."""
    content = _read(path)
    if not content:
        raise ValueError(f"{path} is empty")
    try:
        with warnings.catch_warnings():
            # Of a message that ends before its file does, protobuf only warns.
            warnings.simplefilter("error", RuntimeWarning)
            message.ParseFromString(content)
    except (DecodeError, SystemError):  # which a warning becomes in protobuf's C++
        raise ValueError(f"{path} is no {type(message).__name__}, or not whole") from None
    return message


def _read(path: str) -> bytes:
    with fileio.open(path, "rb") as file:
        content: bytes = file.read()
    return content
