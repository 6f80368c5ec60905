"""Inspection of shards for ``higgs inspect``: layout, class balance, ranges and first records."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.table import Table

from formats.features import COLUMNS, FEATURES, NUM_FEATURES, physical_unit
from formats.published.record import Events, RecordError, read_events
from formats.published.record_parser import InvalidRecordError, additional_keys
from formats.published.tfrecord import iter_chunks, open_plain
from formats.text import first_names
from formats.unchanged_files import unchanged
from pipeline.sample_data.event_streams import select

LAYOUT = "published HIGGS layout: 'features' float32 [28], 'label' 0.0 or 1.0"

_FILES = "Name a TFRecord file, or a folder of some."

_PUBLISHED_BYTES = 163
"""Length of a record with features and label alone."""

_NUMBER_WIDTH = len("-1.234e-05")


class Inspection:
    """Summary of one shard, or of the shards of a folder.

    Attributes:
        path: the shard or the folder.
        files: number of shards.
        empty: the shards without records, which are skipped.
        compressions: ``"gzip"``, ``"none"`` or both.
        additional_keys: keys of the records besides features and label.
        events: number of records; all were read and have the published layout.
        signal: number of signal events.
        first: the first records.
        low: minimum of each column, float32 [28].
        total: sum of each column, float64 [28].
        high: maximum of each column, float32 [28].
    """

    def __init__(self, path: Path, files: int):
        """Summarizes nothing yet."""
        self.path, self.files = path, files
        self.empty: list[Path] = []
        self.compressions: set[str] = set()
        self.additional_keys: set[str] = set()
        self.events = self.signal = 0
        self.first = Events(np.empty([0, NUM_FEATURES], np.float32), np.empty(0, np.float32))
        self.low = np.full(NUM_FEATURES, np.inf, np.float32)
        self.high = -self.low
        self.total = np.zeros(NUM_FEATURES)

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of each column, float64 [28]."""
        return self.total / self.events

    def add(self, chunk: Events, records: int) -> None:
        """Adds events; keeps them while there are fewer than ``records``."""
        missing = select(chunk, slice(max(records - self.events, 0)))
        self.first = Events(*map(np.concatenate, zip(self.first, missing, strict=True)))
        self.events += len(chunk.labels)
        self.signal += int(chunk.labels.sum())
        with np.errstate(invalid="ignore"):  # Infinities of both signs; signaling NaN.
            self.low = np.minimum(self.low, chunk.features.min(axis=0))
            self.high = np.maximum(self.high, chunk.features.max(axis=0))
            self.total += chunk.features.sum(axis=0, dtype=np.float64)


def _additional_keys(path: Path) -> tuple[str, ...]:
    """Reads the additional keys of a shard's first record; none if it is not valid."""
    with path.open("rb") as file, suppress(RecordError, InvalidRecordError):
        for chunk in iter_chunks(file, str(path)):
            record = chunk.record(0)
            # Parsing one imports TensorFlow, which takes seconds.
            return additional_keys(record) if len(record) > _PUBLISHED_BYTES else ()
    return ()


def check_regular(path: Path) -> None:
    """Refuses what cannot be read as a file; a pipe, for example, would block forever.

    Raises:
        RecordError: it is not a regular file, or a link to nothing.
    """
    if path.is_symlink() and not path.exists():
        target = path.readlink()
        raise RecordError(str(path), None, f"is a link to {target}, which does not exist", _FILES)
    if not path.is_file():
        kind = "folder" if path.is_dir() else "pipe or device"
        raise RecordError(str(path), None, f"is a {kind}, not a file", _FILES)


def inspect_shards(
    path: Path,
    shards: Sequence[Path],
    records: int,
    on_read: Callable[[int], None] = lambda _: None,
) -> Inspection:
    """Reads shards and summarizes them together.

    Args:
        path: the shard, or the folder of the shards.
        shards: shards of the published layout, plain or gzip.
        records: number of first records to keep.
        on_read: called with the number of bytes of all shards read so far.

    Raises:
        RecordError: a shard is anything else, or there are no records at all; the message says
            what it is.
        DataRefusedError: a shard was changed while it was read.
    """
    inspection = Inspection(path, len(shards))
    size = 0
    for shard in shards:
        check_regular(shard)
        with shard.open("rb") as file:
            inspection.compressions.add(open_plain(file)[1])
        keys, before = _additional_keys(shard), inspection.events
        inspection.additional_keys.update(keys)
        with unchanged(shard), shard.open("rb") as file:
            for chunk in read_events(file, str(shard), keys):
                inspection.add(chunk, records)
                on_read(size + file.tell())
        if inspection.events == before:
            inspection.empty.append(shard)
        size += shard.stat().st_size
    if not inspection.events:
        raise RecordError(str(path), None, "holds no records", "Give a shard with events.")
    return inspection


def render(inspection: Inspection, width: int, units: str = "published") -> RenderableType:
    """Renders the summary, then column ranges and first records in tables of at most this width.

    The lines of the summary may be longer than the width.

    Args:
        inspection: the summary.
        width: of the terminal.
        units: of the values in the tables: ``published``, or ``gev`` for GeV, radians and b-tag
            levels.
    """
    lines = (f"{name:<13}{value}" for name, value in _summary(inspection, units))
    scales = [1 / physical_unit(name) if units == "gev" else 1.0 for name in FEATURES]
    return Group(*lines, "", *_tables(_numbers(inspection, np.array(scales)), width))


def _summary(inspection: Inspection, units: str) -> Iterator[tuple[str, str]]:
    share = inspection.signal / inspection.events
    is_folder = inspection.path.is_dir()
    yield "folder" if is_folder else "file", str(inspection.path)
    if is_folder:
        yield "files", f"{inspection.files:,}"
    if inspection.empty:
        yield "empty", first_names([path.name for path in inspection.empty])
    yield "layout", LAYOUT
    if inspection.additional_keys:
        keys = ", ".join(map(repr, sorted(inspection.additional_keys)))
        yield "also", f"{keys}: refused by `higgs run` unless ingestion.ignore_keys names them"
    yield "compression", " and ".join(sorted(inspection.compressions))
    yield "records", f"{inspection.events:,}"
    yield "signal", f"{inspection.signal:,} ({share:.2%})"
    yield "background", f"{inspection.events - inspection.signal:,} ({1 - share:.2%})"
    if units == "gev":
        yield "units", "GeV, radians, b-tag levels 0, 1, 2"


@np.errstate(invalid="ignore")  # As in `Inspection.add`.
def _numbers(inspection: Inspection, scales: NDArray[np.float64]) -> dict[str, list[float]]:
    """Returns the columns of the tables by heading: the label's number, then each feature's."""
    share = inspection.signal / inspection.events
    return {
        "min": [0 if share < 1 else 1, *(inspection.low * scales)],
        "mean": [share, *(inspection.mean * scales)],
        "max": [1 if share > 0 else 0, *(inspection.high * scales)],
        **{
            f"record {index}": [label, *(features * scales)]
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
