"""Ingestion of one shard: TFRecord to Parquet, independent of TFX.

The shard is decoded one chunk at a time, and its events are distributed to their splits. Each
split's files are written to a staging folder and renamed only when the whole shard has been read,
so that an invalid shard leaves nothing behind.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from components.example_gen.hash_split import assign_splits
from components.example_gen.split_writer import SplitWriter
from formats.beam_files import open_file
from formats.content_key import HashingReader
from formats.event_hash import event_hashes
from formats.features import NUM_FEATURES
from formats.invalid_values import InvalidColumns, merge
from formats.published.column_order import SAMPLE_EVENTS, find_order_problem
from formats.published.record import Events, read_events
from formats.published.shard_files import unreadable
from formats.published.tfrecord import RecordError
from formats.unchanged_files import unchanged


@dataclass(frozen=True)
class ShardTask:
    """One shard to ingest.

    Attributes:
        index: the shard's index among all shards; it names the output files.
        path: the shard.
        splits: names of the splits, in the order of ``buckets``.
        buckets: number of hash buckets per split; a single split takes every event.
        output: folder of the Examples.
        row_group_events: events per row group.
        ignored_keys: additional keys of the records, which are dropped.
    """

    index: int
    path: str
    splits: Sequence[str]
    buckets: Sequence[int]
    output: str
    row_group_events: int
    ignored_keys: Sequence[str] = ()


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


@dataclass(frozen=True)
class ShardSummary:
    """A shard that was written.

    Attributes:
        splits: summary by split; all are empty for a shard without records.
        sha256: of the shard's bytes as they were read, hexadecimal.
    """

    splits: Mapping[str, SplitSummary]
    sha256: str


def ingest_shard(task: ShardTask) -> ShardSummary:
    """Writes the events of one shard as Parquet, one file per split that gets any.

    Raises:
        RecordError: the shard or one of its records is invalid, or its columns are in another
            order; nothing was written.
        DataRefusedError: the shard cannot be opened, or was changed while it was read; nothing
            was written.
        OSError: the shard cannot be read, or a file cannot be written.
    """
    sample = _Sample()
    with contextlib.ExitStack() as stack:
        stack.enter_context(unchanged(Path(task.path)))
        content = HashingReader(stack.enter_context(_open(task.path)))
        writers = [
            stack.enter_context(SplitWriter(task.output, split, task.index, task.row_group_events))
            for split in task.splits
        ]
        for events in read_events(content, task.path, task.ignored_keys):  # type: ignore[arg-type]
            sample.add(events)
            for writer, part in zip(writers, _distribute(events, task.buckets), strict=True):
                writer.add(part)
        if problem := find_order_problem(sample.features()):
            raise RecordError(task.path, None, problem.reason, problem.remedy)
        digest = content.finish()
        for writer in writers:
            writer.close()
    for writer in writers:
        writer.publish()
    summaries = [SplitSummary(writer.events, writer.invalid_values) for writer in writers]
    return ShardSummary(dict(zip(task.splits, summaries, strict=True)), digest)


def _open(path: str) -> BinaryIO:
    try:
        # The reader recognizes gzip by the content, not by the name.
        return open_file(path)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise unreadable(path, error) from error


def _distribute(events: Events, buckets: Sequence[int]) -> Iterator[Events]:
    """Yields the events of each split."""
    if len(buckets) == 1:
        yield events
        return
    splits = assign_splits(event_hashes(events.features), buckets)
    for split in range(len(buckets)):
        in_split = splits == split
        yield Events(events.features[in_split], events.labels[in_split])


class _Sample:
    """The first events of a shard."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.float32]] = []
        self._missing = SAMPLE_EVENTS

    def add(self, events: Events) -> None:
        if self._missing > 0:
            self._parts.append(events.features[: self._missing])
            self._missing -= len(events.labels)

    def features(self) -> NDArray[np.float32]:
        return np.concatenate([*self._parts, np.empty((0, NUM_FEATURES), np.float32)])
