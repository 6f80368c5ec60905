"""What ``higgs inspect`` shows of a shard: its layout, its balance and its events."""

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
    """What a shard holds.

    Attributes:
        path: the shard.
        compression: ``"gzip"`` or ``"none"``.
        events: number of records; all of them were read and fit the layout.
        signal: how many are signal.
        first: the first records.
        low: least value of each column, float32 [28].
        mean: mean of each column, float64 [28].
        high: greatest value of each column, float32 [28].
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
    """Reads a shard whole and sums it up.

    Args:
        path: a shard of the published layout, plain or gzip.
        records: how many of its first records to keep.

    Raises:
        RecordError: the file is anything else; the message says what.
    """
    if path.is_dir():
        shards = len(list(path.rglob("*.tfrecord")))
        reason = f"is a folder; {shards} files in it end in .tfrecord"
        raise RecordError(str(path), None, reason, "Name one file.")
    with path.open("rb") as file:
        compression = open_plain(file)[1]
    with path.open("rb") as file:
        chunks = read_events(file, str(path))
        head = next(chunks, None)
        if head is None:
            raise RecordError(str(path), None, "holds no records", "Name a shard with events.")
        return _sum_up(path, compression, records, head, chunks)


def _sum_up(
    path: Path, compression: str, records: int, head: Events, others: Iterator[Events]
) -> Inspection:
    events = signal = 0
    first = Events(head.features[:0], head.labels[:0])
    low, high = head.features[0], head.features[0]
    total = np.zeros(len(FEATURES))
    for features, labels in chain([head], others):
        if (wanted := records - events) > 0:
            parts = zip(first, (features[:wanted], labels[:wanted]), strict=True)
            first = Events(*map(np.concatenate, parts))
        events += len(labels)
        signal += int(labels.sum())
        low = np.minimum(low, features.min(axis=0))
        high = np.maximum(high, features.max(axis=0))
        total += features.sum(axis=0, dtype=np.float64)
    return Inspection(path, compression, events, signal, first, low, total / events, high)


def render(inspection: Inspection, width: int) -> RenderableType:
    """A summary, then the columns' ranges and the first records, in tables of at most this width.

    Nothing in it is parsed as markup. The summary's lines may be longer, where the path is.
    """
    found = inspection
    share = found.signal / found.events
    summary = (
        ("file", str(found.path)),
        ("layout", LAYOUT),
        ("compression", found.compression),
        ("records", f"{found.events:,}"),
        ("signal", f"{found.signal:,} ({share:.2%})"),
        ("background", f"{found.events - found.signal:,} ({1 - share:.2%})"),
    )
    lines = (Text(f"{name:<13}{value}") for name, value in summary)
    return Group(*lines, Text(), *_tables(_numbers(found), width))


def _numbers(found: Inspection) -> dict[str, list[float]]:
    """What the tables show: the label's number and each feature's, by heading."""
    share = found.signal / found.events
    return {
        "min": [0 if share < 1 else 1, *found.low],
        "mean": [share, *found.mean],
        "max": [1 if share > 0 else 0, *found.high],
        **{
            f"record {place}": [label, *features]
            for place, (features, label) in enumerate(zip(*found.first, strict=True))
        },
    }


def _tables(numbers: Mapping[str, Sequence[float]], width: int) -> Iterator[Table]:
    """As many numbers side by side as fit, each at least one."""
    number_width = max(_NUMBER_WIDTH, *map(len, numbers))
    # A cell has a space on either side and a line on its right; one more line begins the table.
    names_width = 1 + max(map(len, COLUMNS)) + 3
    fitting = max(1, (width - names_width) // (number_width + 3))
    headings = list(numbers)
    for start in range(0, len(headings), fitting):
        shown = headings[start : start + fitting]
        table = Table("column")
        for heading in shown:
            table.add_column(heading, justify="right", min_width=number_width)
        for row, name in enumerate(COLUMNS):
            table.add_row(name, *(f"{numbers[heading][row]:.4g}" for heading in shown))
        yield table
