"""Ingestion of one shard: TFRecord to Parquet, independent of TFX.

The shard is decoded one chunk at a time, and its events are distributed to their splits. Each
split's file is written to a staging folder and renamed only when the whole shard has been read,
so that an invalid shard leaves nothing behind.
"""

import contextlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from components.example_gen.hash_split import assign_splits
from formats.atomic_files import naming
from formats.examples import parquet_writer, to_table
from formats.invalid_values import InvalidColumns, find_invalid_values, merge
from formats.published.record import Events, read_events
from formats.published.tfrecord import RecordError


@dataclass(frozen=True)
class ShardTask:
    """One shard to ingest.

    Attributes:
        index: the shard's index among all shards; it names the output files.
        path: the shard.
        splits: output folder by split, in the order of ``buckets``.
        buckets: number of hash buckets per split; a single split takes every event.
        staging: a folder for incomplete files.
        row_group_events: events per row group.
    """

    index: int
    path: str
    splits: Mapping[str, str]
    buckets: Sequence[int]
    staging: str
    row_group_events: int


@dataclass(frozen=True)
class SplitSummary:
    """The ingested events of a split.

    Attributes:
        events: number of events.
        invalid_values: invalid values of discrete columns among them.
    """

    events: int
    invalid_values: InvalidColumns

    def __add__(self, other: "SplitSummary") -> "SplitSummary":
        return SplitSummary(
            self.events + other.events, merge(self.invalid_values, other.invalid_values)
        )


def ingest_shard(task: ShardTask) -> dict[str, SplitSummary]:
    """Writes the events of one shard as Parquet, one file per split.

    Returns:
        A summary by split.

    Raises:
        RecordError: the shard or one of its records is invalid, or it has no records; nothing
            was written.
    """
    with contextlib.ExitStack() as stack:
        writers = [
            stack.enter_context(_SplitWriter(task, folder)) for folder in task.splits.values()
        ]
        # The reader recognizes gzip by the content, not by the name.
        with FileSystems.open(task.path, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
            for events in read_events(stream, task.path):
                for writer, part in zip(writers, _distribute(events, task.buckets), strict=True):
                    writer.add(part)
        if not any(writer.summary.events for writer in writers):
            raise RecordError(task.path, None, "holds no records", "Fetch it again, or remove it.")
        for writer in writers:
            writer.close()
    for writer in writers:
        writer.publish()
    return {split: writer.summary for split, writer in zip(task.splits, writers, strict=True)}


def _distribute(events: Events, buckets: Sequence[int]) -> Iterator[Events]:
    """Yields the events of each split."""
    if len(buckets) == 1:
        yield events
        return
    splits = assign_splits(events, buckets)
    for split in range(len(buckets)):
        in_split = splits == split
        yield Events(events.features[in_split], events.labels[in_split])


class _SplitWriter(AbstractContextManager["_SplitWriter"]):
    """Writes one split's events of a shard, in row groups of a fixed size."""

    def __init__(self, task: ShardTask, folder: str):
        self._path = f"{folder}/data_parquet-{task.index:05d}.parquet"
        # Beam may retry a worker that is still running, so the names are unique.
        self._temporary = f"{task.staging}/{uuid.uuid4().hex}.parquet"
        self._row_group_events = task.row_group_events
        self._pending: list[Events] = []
        self._open_files = contextlib.ExitStack()
        stream = self._open_files.enter_context(FileSystems.create(self._temporary))
        self._writer = self._open_files.enter_context(parquet_writer(stream))
        self.summary = SplitSummary(0, {})

    def __exit__(self, error_type: object, *details: object) -> None:
        if error_type is not None:
            # The error of the block is the one to report; the staging folder is deleted.
            with contextlib.suppress(OSError, pa.ArrowException):
                self._open_files.close()
            with contextlib.suppress(BeamIOError):
                FileSystems.delete([self._temporary])

    def add(self, events: Events) -> None:
        self._pending.append(events)
        self.summary += SplitSummary(len(events.labels), find_invalid_values(events))
        if sum(len(part.labels) for part in self._pending) >= self._row_group_events:
            self._flush(whole_groups_only=True)

    def close(self) -> None:
        self._flush(whole_groups_only=False)
        with naming(self._temporary):
            self._open_files.close()

    def publish(self) -> None:
        """Moves the complete file to its final path; a split without events gets no file."""
        if self.summary.events:
            FileSystems.rename([self._temporary], [self._path])
        else:
            FileSystems.delete([self._temporary])

    def _flush(self, *, whole_groups_only: bool) -> None:
        if not self._pending:
            return
        events = Events(*(np.concatenate(arrays) for arrays in zip(*self._pending, strict=True)))
        count = len(events.labels)
        if whole_groups_only:
            count -= count % self._row_group_events
        if count:
            complete = Events(events.features[:count], events.labels[:count])
            with naming(self._temporary):
                self._writer.write_table(to_table(complete), row_group_size=self._row_group_events)
        self._pending = [Events(events.features[count:], events.labels[count:])]
