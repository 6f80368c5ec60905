"""Shards to Parquet: the work of ingestion, one shard a call, free of TFX.

One call ingests one shard: it is decoded a chunk at a time, its events are
dealt to their splits, and each split's part is written aside and renamed only
when the whole shard has been read, so that a bad shard leaves nothing behind.
"""

import contextlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from formats.features import DISCRETE_VALUES, COLUMNS, LABEL
from formats.invalid_values import UnknownCodes, find_unknown_codes, merge
from formats.published.record import Events, read_events, split_of
from formats.published.tfrecord import RecordError

# A dictionary pays for columns of few values; for the others it cost four times the encoding
# and made the files half as large again.
DICTIONARY_COLUMNS = [f"{name}.list.item" for name in (LABEL, *DISCRETE_VALUES)]

ROW_GROUP_EVENTS = 65_536
"""Events a row group: about 8 MB, what a reader holds at a time."""

# TFDV reads lists, and only large ones from Parquet; a column holds one float an event.
PARQUET_SCHEMA = pa.schema([pa.field(name, pa.large_list(pa.float32())) for name in COLUMNS])


@dataclass(frozen=True)
class ShardTask:
    """One shard to ingest.

    Attributes:
      index: the shard's place among all shards, which names its output files.
      path: the shard.
      splits: output folder by split, in the order of ``buckets``.
      buckets: hash buckets a split; a single one takes every event.
      staging: a folder for files that are not yet whole.
      row_group_events: events a row group.
    """

    index: int
    path: str
    splits: Mapping[str, str]
    buckets: Sequence[int]
    staging: str
    row_group_events: int


@dataclass(frozen=True)
class Ingested:
    """What was written of a split.

    Attributes:
      events: how many.
      unknown_codes: b-tags among them that are no code.
    """

    events: int
    unknown_codes: UnknownCodes


def ingest_shard(task: ShardTask) -> dict[str, Ingested]:
    """Writes one shard's events as Parquet, a file a split.

    Returns:
      What was written, by split.

    Raises:
      RecordError: a record or the shard itself is not valid, or it has no record at all;
        nothing was written.
    """
    with contextlib.ExitStack() as stack:
        writers = [
            stack.enter_context(_SplitWriter(task, folder)) for folder in task.splits.values()
        ]
        # The reader tells gzip by the bytes, not by the name.
        with FileSystems.open(task.path, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
            for events in read_events(stream, task.path):
                for writer, part in zip(writers, _deal(events, task.buckets), strict=True):
                    writer.add(part)
        if not any(writer.count for writer in writers):
            raise RecordError(task.path, None, "holds no record", "Fetch it again, or remove it.")
        for writer in writers:
            writer.close()
    for writer in writers:
        writer.publish()
    return {
        split: Ingested(writer.count, writer.unknown_codes)
        for split, writer in zip(task.splits, writers, strict=True)
    }


def to_table(events: Events) -> pa.Table:
    """Events as columns of one-element lists: ``label``, then the 28 features."""
    offsets = pa.array(np.arange(len(events.labels) + 1, dtype=np.int64))
    columns = [events.labels, *np.ascontiguousarray(events.features.T)]
    lists = [pa.LargeListArray.from_arrays(offsets, pa.array(column)) for column in columns]
    return pa.Table.from_arrays(lists, schema=PARQUET_SCHEMA)


def _deal(events: Events, buckets: Sequence[int]) -> Iterator[Events]:
    if len(buckets) == 1:
        yield events
        return
    splits = split_of(events, buckets)
    for split in range(len(buckets)):
        chosen = splits == split
        yield Events(events.features[chosen], events.labels[chosen])


class _SplitWriter(AbstractContextManager["_SplitWriter"]):
    """Writes one split's part of a shard, in row groups of a fixed size."""

    def __init__(self, task: ShardTask, folder: str):
        self._final = f"{folder}/data_parquet-{task.index:05d}.parquet"
        # A worker may be retried while it still runs, so no two share a name.
        self._aside = f"{task.staging}/{uuid.uuid4().hex}.parquet"
        self._group = task.row_group_events
        self._pending: list[Events] = []
        self._open = contextlib.ExitStack()
        stream = self._open.enter_context(FileSystems.create(self._aside))
        self._writer = self._open.enter_context(
            pq.ParquetWriter(
                stream, PARQUET_SCHEMA, compression="snappy", use_dictionary=DICTIONARY_COLUMNS
            )
        )
        self.count = 0
        self.unknown_codes: UnknownCodes = {}

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is not None:
            self._open.close()
            FileSystems.delete([self._aside])

    def add(self, events: Events) -> None:
        self._pending.append(events)
        self.count += len(events.labels)
        self.unknown_codes = merge(self.unknown_codes, find_unknown_codes(events))
        if sum(len(part.labels) for part in self._pending) >= self._group:
            self._flush(whole_groups_only=True)

    def close(self) -> None:
        self._flush(whole_groups_only=False)
        self._open.close()

    def publish(self) -> None:
        """Moves the finished file to where readers look; a split with no event gets none."""
        if self.count:
            FileSystems.rename([self._aside], [self._final])
        else:
            FileSystems.delete([self._aside])

    def _flush(self, *, whole_groups_only: bool) -> None:
        if not self._pending:
            return
        events = Events(*(np.concatenate(arrays) for arrays in zip(*self._pending, strict=True)))
        total = len(events.labels)
        written = total - total % self._group if whole_groups_only else total
        if written:
            head = Events(events.features[:written], events.labels[:written])
            self._writer.write_table(to_table(head), row_group_size=self._group)
        self._pending = [Events(events.features[written:], events.labels[written:])]
