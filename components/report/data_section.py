"""The data of a run: statistics, histograms and problems by split.

Events are read only to locate values that are not valid.
"""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2
from tfx.dsl.io import fileio
from tfx.utils import io_utils

from components.data_gate.data_problems import find_problems
from components.data_gate.value_search import find_values
from formats import histograms, invalid_values, names
from formats.features import LABEL
from formats.run_outcome import RunOutcome

AnyMessage = TypeVar("AnyMessage", bound=Message)


@dataclass(frozen=True)
class Split:
    """One split of the data.

    Attributes:
        name: ``train``, ``eval`` or ``test``.
        events: number of ingested events.
        signal: number of signal events; None if unknown.
        features: TFDV's statistics by column, in published units, without the label.
        problems: reasons not to train on it, as DataGate states them; None if it was not checked
            or the findings could not be read.
        histograms: by feature; empty if unknown.
        fingerprint: of its events; empty if unknown.
    """

    name: str
    events: int
    signal: int | None
    features: Mapping[str, statistics_pb2.NumericStatistics]
    problems: tuple[str, ...] | None
    histograms: Mapping[str, histograms.ClassHistogram]
    fingerprint: str


def read_statistics(uri: str, split: str) -> statistics_pb2.DatasetFeatureStatistics:
    """Reads the statistics of a split from the artifact of all of them.

    Raises:
        ValueError: the file is not valid or holds no statistics.
    """
    path = _split_file(uri, split, names.STATISTICS_FILE)
    datasets = _parse(path, statistics_pb2.DatasetFeatureStatisticsList()).datasets
    if not datasets:
        raise ValueError(f"no statistics in {path}")
    return datasets[0]


def read_histograms(uri: str) -> Mapping[str, histograms.SplitHistograms]:
    """Reads the histograms of every split from their artifact.

    Raises:
        pydantic.ValidationError: the file is not valid.
    """
    return histograms.from_json(read_text(f"{uri}/{histograms.FILE_NAME}"))


def read_problems(
    outcome: RunOutcome,
    split: str,
    events: int,
    statistics: statistics_pb2.DatasetFeatureStatistics,
) -> tuple[str, ...] | None:
    """Lists the reasons not to train on a split; None if the run did not get that far.

    Args:
        outcome: the run.
        split: the split's name.
        events: number of ingested events.
        statistics: the split's statistics.

    Raises:
        ValueError: a file is not valid.
    """
    examples = outcome.output(names.EXAMPLES)
    anomalies, schema = outcome.uri(names.ANOMALIES), outcome.uri(names.SCHEMA)
    if examples is None or anomalies is None or schema is None:
        return None
    problems = find_problems(
        split=split,
        ingested=events,
        invalid_columns=invalid_values.from_json(
            str(examples.properties[names.invalid_values_property(split)])
        ),
        statistics=statistics,
        anomalies=_parse(
            _split_file(anomalies, split, names.ANOMALIES_FILE), anomalies_pb2.Anomalies()
        ),
        schema=io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema)),
        search=partial(find_values, examples.uri, split),
    )
    return tuple(problems)


def describe_split(
    name: str,
    events: int,
    statistics: statistics_pb2.DatasetFeatureStatistics | None,
    problems: tuple[str, ...] | None,
    split_histograms: histograms.SplitHistograms | None,
) -> Split:
    """Describes a split from what is known; columns without numeric statistics are left out."""
    columns = {
        feature.path.step[0]: feature.num_stats
        for feature in (statistics.features if statistics else ())
        if feature.path.step and feature.HasField("num_stats")
    }
    label = columns.pop(LABEL, None)
    return Split(
        name=name,
        events=events,
        signal=None if label is None else _count_signal(label),
        features=columns,
        problems=problems,
        histograms=split_histograms.features if split_histograms else {},
        fingerprint=split_histograms.fingerprint if split_histograms else "",
    )


def _count_signal(label: statistics_pb2.NumericStatistics) -> int | None:
    signal = label.mean * label.common_stats.num_non_missing
    return round(signal) if math.isfinite(signal) else None


def count_missing(numbers: statistics_pb2.NumericStatistics) -> int:
    """Counts the events without a number in a column, NaN included."""
    nan = numbers.histograms[0].num_nan if numbers.histograms else 0
    return int(numbers.common_stats.num_missing + nan)


def _split_file(uri: str, split: str, name: str) -> str:
    return f"{uri}/Split-{split}/{name}"


def _parse(path: str, message: AnyMessage) -> AnyMessage:
    """Reads a whole message from a file."""
    content = _read(path)
    if not content:
        raise ValueError(f"{path} is empty")
    try:
        with warnings.catch_warnings():
            # Protobuf only warns about a message that ends before its file does.
            warnings.simplefilter("error", RuntimeWarning)
            message.ParseFromString(content)
    except (DecodeError, SystemError):  # protobuf's C++ turns the warning into a SystemError
        raise ValueError(f"{path} is not a complete {type(message).__name__}") from None
    return message


def read_text(path: str) -> str:
    """Reads a file of an artifact, local or remote."""
    return _read(path).decode()


def _read(path: str) -> bytes:
    with fileio.open(path, "rb") as file:
        content: bytes = file.read()
    return content
