"""Locations of events in the shards that were ingested, found by their hashes."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from formats.beam_files import open_file
from formats.event_hash import event_hashes, is_in
from formats.hash_runs import find_runs
from formats.ingested_shards import IngestionFile
from formats.published.record import read_events
from formats.published.tfrecord import RecordError
from formats.splitmix64 import Words


@dataclass(frozen=True)
class Location:
    """One record of a shard.

    Attributes:
        shard: the shard's path.
        record: index of the record, from 0; None if the shard cannot be read any more.
        features: its features, float32 [28].
    """

    shard: str
    record: int | None = None
    features: np.ndarray | None = None

    def __str__(self) -> str:
        return self.shard + ("" if self.record is None else f", record {self.record}")


def first_location(
    examples_uri: str, split: str, hashes: Words, ingestion: IngestionFile
) -> Location | None:
    """Finds the first record of a split's shards that has one of the hashes.

    Args:
        examples_uri: folder of the Examples.
        split: the split.
        hashes: sorted hashes of events.
        ingestion: the shards that were ingested.

    Returns:
        The record; None if no event has such a hash.
    """
    for run in find_runs(examples_uri, split):
        if is_in(hashes, run.take(2**64 - 1)).any():
            return _locate(ingestion.shards[run.shard].path, hashes, ingestion.ignored_keys)
    return None


def _locate(path: str, hashes: Words, ignored_keys: Collection[str]) -> Location:
    """Finds the first record of a shard that has one of the hashes."""
    count = 0
    try:
        with open_file(path) as stream:
            for events in read_events(stream, path, ignored_keys):
                matches = np.flatnonzero(is_in(event_hashes(events.features), hashes))
                if matches.size:
                    index = int(matches[0])
                    return Location(path, count + index, events.features[index])
                count += len(events.labels)
    except (OSError, RecordError):
        pass  # The shard was removed or replaced since it was ingested.
    return Location(path)
