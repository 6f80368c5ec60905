"""Inspection of a shard for ``higgs inspect``: layout, class balance, ranges and first records."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from formats.features import COLUMNS, FEATURES
from formats.published.record import Events, RecordError, read_events
from formats.published.tfrecord import open_plain

LAYOUT = "published HIGGS layout: 'features' float32 [28], 'label' 0.0 or 1.0"

_NUMBER_WIDTH = len("-1.234e-05")


@dataclass(frozen=True, eq=False)
class Inspection:
    """Summary of a shard.

    Attributes:
        path: the shard.
        compression: ``"gzip"`` or ``"none"``.
        events: number of records; all were read and have the published layout.
        signal: number of signal events.
        first: the first records.
        low: minimum of each column, float32 [28].
        mean: mean of each column, float64 [28].
        high: maximum of each column, float32 [28].
    """

    path: Path
    compression: str
    events: int
    signal: int
    first: Events
    low: NDArray[np.float32]
    mean: NDArray[np.float64]
    high: NDArray[np.float32]


def inspect_file(path: Path, records: int) -> Inspection:
    """Reads a shard and summarizes it.

    Args:
        path: a shard of the published layout, plain or gzip.
        records: number of first records to keep.

    Raises:
        RecordError: the file is anything else; the message says what it is.
    """
    if path.is_dir():
        shards = len(list(path.rglob("*.tfrecord")))
        files = "1 file in it ends" if shards == 1 else f"{shards} files in it end"
        reason = f"is a folder; {files} in .tfrecord"
        raise RecordError(str(path), None, reason, "Name one file.")
    with path.open("rb") as file:
        compression = open_plain(file)[1]
    with path.open("rb") as file:
        chunks = read_events(file, str(path))
        head = next(chunks, None)
        if head is None:
            raise RecordError(str(path), None, "holds no records", "Name a shard with events.")
        return _summarize(path, compression, records, head, chunks)


def _summarize(
    path: Path, compression: str, records: int, head: Events, others: Iterator[Events]
) -> Inspection:
    events = signal = 0
    first = Events(head.features[:0], head.labels[:0])
    low, high = head.features[0], head.features[0]
    total = np.zeros(len(FEATURES))
    for features, labels in chain([head], others):
        if (missing := records - events) > 0:
            parts = zip(first, (features[:missing], labels[:missing]), strict=True)
            first = Events(*map(np.concatenate, parts))
        events += len(labels)
        signal += int(labels.sum())
        low = np.minimum(low, features.min(axis=0))
        high = np.maximum(high, features.max(axis=0))
        total += features.sum(axis=0, dtype=np.float64)
    return Inspection(path, compression, events, signal, first, low, total / events, high)


def render(inspection: Inspection, width: int) -> RenderableType:
    """Renders the summary, then column ranges and first records in tables of at most this width.

    Nothing is parsed as markup. The lines of the summary may be longer than the width.
    """
    share = inspection.signal / inspection.events
    summary = (
        ("file", str(inspection.path)),
        ("layout", LAYOUT),
        ("compression", inspection.compression),
        ("records", f"{inspection.events:,}"),
        ("signal", f"{inspection.signal:,} ({share:.2%})"),
        ("background", f"{inspection.events - inspection.signal:,} ({1 - share:.2%})"),
    )
    lines = (Text(f"{name:<13}{value}") for name, value in summary)
    return Group(*lines, Text(), *_tables(_numbers(inspection), width))


def _numbers(inspection: Inspection) -> dict[str, list[float]]:
    """Returns the columns of the tables by heading: the label's number, then each feature's."""
    share = inspection.signal / inspection.events
    return {
        "min": [0 if share < 1 else 1, *inspection.low],
        "mean": [share, *inspection.mean],
        "max": [1 if share > 0 else 0, *inspection.high],
        **{
            f"record {index}": [label, *features]
            for index, (features, label) in enumerate(zip(*inspection.first, strict=True))
        },
    }


def _tables(numbers: Mapping[str, Sequence[float]], width: int) -> Iterator[Table]:
    """Yields tables with as many columns of numbers as fit, at least one each."""
    number_width = max(_NUMBER_WIDTH, *map(len, numbers))
    # A cell has a space on either side and a border on its right; the table starts with a border.
    names_width = 1 + max(map(len, COLUMNS)) + 3
    columns_per_table = max(1, (width - names_width) // (number_width + 3))
    headings = list(numbers)
    for start in range(0, len(headings), columns_per_table):
        shown = headings[start : start + columns_per_table]
        table = Table("column")
        for heading in shown:
            table.add_column(heading, justify="right", min_width=number_width)
        for row, name in enumerate(COLUMNS):
            table.add_row(name, *(f"{numbers[heading][row]:.4g}" for heading in shown))
        yield table
