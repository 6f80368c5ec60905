"""Row groups: events in Parquet Examples or in a table, read part by part.

A column of the files is a list with exactly one float per event, the layout that TFX and TFDV
require of Parquet. Files are opened through TensorFlow, so that every file system that TFX can
write to can be read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from formats.features import COLUMNS, FEATURES, LABEL, NUM_FEATURES
from models.event_table import Array, EventTable, InputDataError


class EventSource(Protocol):
    """Events in row groups, which are read one at a time.

    Attributes:
        counts: number of events of each row group.
        name: where the events are, for messages.
    """

    @property
    def counts(self) -> Sequence[int]: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102

    def read(self, group: int) -> EventTable:
        """Reads one row group, with the features as published."""


@dataclass(frozen=True)
class TableSource:
    """A table in memory, in row groups of ``group_events`` events."""

    table: EventTable
    group_events: int = 65_536
    name: str = "memory"

    @property
    def counts(self) -> Sequence[int]:
        """Number of events of each row group."""
        starts = range(0, len(self.table), self.group_events)
        return [min(self.group_events, len(self.table) - start) for start in starts]

    def read(self, group: int) -> EventTable:
        """Returns a view of one row group."""
        start = group * self.group_events
        return self.table[start : start + self.group_events]


@dataclass(frozen=True)
class ParquetSource:
    """The row groups of all files that match the patterns, in the order of the file names.

    Attributes:
        patterns: glob patterns such as ``.../Split-train/*``.
    """

    patterns: Sequence[str]

    @property
    def name(self) -> str:
        """The patterns."""
        return ", ".join(self.patterns)

    @property
    def counts(self) -> Sequence[int]:
        """Number of events of each row group, from the metadata of the files.

        Raises:
            InputDataError: a file lacks a column.
        """
        return [events for _, _, events in self._groups]

    def read(self, group: int) -> EventTable:
        """Reads one row group.

        Raises:
            InputDataError: an event does not have exactly one finite value in each column.
        """
        path, index, _ = self._groups[group]
        with _RandomAccessFile(path, "rb") as file:
            table = pq.ParquetFile(file).read_row_group(index, columns=list(COLUMNS))
        columns = [_values(table, name, path) for name in FEATURES]
        return EventTable(np.column_stack(columns), _values(table, LABEL, path)[:, None])

    @cached_property
    def _groups(self) -> Sequence[tuple[str, int, int]]:
        """File, index in the file and number of events of each row group."""
        paths = sorted({path for pattern in self.patterns for path in tf.io.gfile.glob(pattern)})
        return [
            (path, index, metadata.row_group(index).num_rows)
            for path in paths
            for metadata in [_read_metadata(path)]
            for index in range(metadata.num_row_groups)
        ]


class _RandomAccessFile(tf.io.gfile.GFile):
    """A TensorFlow file with the attribute ``closed``, which pyarrow requires."""

    closed = False


def _read_metadata(path: str) -> pq.FileMetaData:
    with _RandomAccessFile(path, "rb") as file:
        metadata = pq.read_metadata(file)
    missing = [name for name in COLUMNS if name not in metadata.schema.to_arrow_schema().names]
    if missing:
        raise InputDataError(
            f"{path} has no column {', '.join(missing)}: a file of Examples holds "
            f"{LABEL!r} and the {NUM_FEATURES} features"
        )
    return metadata


def _values(table: pa.Table, name: str, path: str) -> Array:
    """Converts one column of one-element lists to float32 [rows]."""
    lists = table.column(name).combine_chunks()
    if not pa.types.is_large_list(lists.type) or not pa.types.is_float32(lists.type.value_type):
        raise InputDataError(f"{path}: column {name!r} is {lists.type}, not large_list<float>")
    values = lists.flatten()
    lengths = np.diff(lists.offsets.to_numpy())
    if lists.null_count or values.null_count or (lengths != 1).any():
        raise InputDataError(f"{path}: column {name!r} has an event without exactly one value")
    array = values.to_numpy()
    if not np.isfinite(array).all():
        raise InputDataError(f"{path}: column {name!r} holds NaN or infinity: remove such events")
    return array
