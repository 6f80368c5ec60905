"""Sorted runs of event hashes: find repeated events without comparing 28 floats each.

Ingestion writes them beside the splits of the Examples, 8 bytes per event, as sorted runs: one file
per shard and split, or several for a shard of many events. Sorted runs can be compared range by
range, so that memory does not grow with the data.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
from apache_beam.io.filesystems import FileSystems

from formats.beam_files import find_files, open_file
from formats.splitmix64 import Words

MAX_RUN = 1 << 23
"""Hashes per file, 64 MB, which ingestion holds in memory."""

RANGE_EVENTS = 1 << 25
"""Hashes that are compared at a time, 256 MB."""

_BYTES = 8


def folder_of(examples_uri: str, split: str) -> str:
    """Returns the folder of a split's runs, beside the splits of the Examples."""
    return f"{examples_uri}/event_hashes/{split}"


def run_path(examples_uri: str, split: str, shard: int, run: int) -> str:
    """Returns the path of one run of a shard."""
    return f"{folder_of(examples_uri, split)}/{shard:05d}-{run:03d}.u64"


def write_run(path: str, hashes: Words) -> None:
    """Writes hashes as one sorted run."""
    with FileSystems.create(path) as file:
        file.write(np.sort(hashes).astype("<u8").tobytes())


@dataclass
class Run:
    """A run of sorted hashes, read from the front.

    Attributes:
        path: the file.
        size: number of hashes.
        position: number of hashes read so far.
    """

    path: str
    size: int
    position: int = 0

    @property
    def shard(self) -> int:
        """Index of the shard, from the file's name."""
        return int(PurePath(self.path).name.partition("-")[0])

    def take(self, limit: int) -> Words:
        """Reads the next hashes, up to ``limit`` inclusive, and moves past them."""
        rest, parts = self.size - self.position, []
        with open_file(self.path) as file:
            file.seek(self.position * _BYTES)
            while rest:
                block = np.frombuffer(file.read(min(rest, MAX_RUN // 8) * _BYTES), "<u8")
                taken = int(np.searchsorted(block, np.uint64(limit), side="right"))
                parts.append(block[:taken])
                self.position += taken
                rest -= len(block)
                if taken < len(block) or not len(block):
                    break
        return np.concatenate(parts) if parts else np.empty(0, np.uint64)


def find_runs(examples_uri: str, split: str) -> list[Run]:
    """Lists the runs of a split, in the order of their shards."""
    files = find_files(f"{folder_of(examples_uri, split)}/*.u64")
    return [Run(file.path, file.size_in_bytes // _BYTES) for file in files]


def in_ranges(
    runs: Mapping[str, Sequence[Run]], range_events: int = RANGE_EVENTS
) -> Iterator[dict[str, Words]]:
    """Yields the sorted hashes of all splits together, one range of hash values at a time.

    Args:
        runs: the runs of each split, none of them read yet.
        range_events: approximate number of hashes in memory.
    """
    total = sum(run.size for split in runs.values() for run in split)
    ranges = max(1, -(-total // range_events))
    for index in range(ranges):
        limit = (index + 1) * 2**64 // ranges - 1
        yield {split: _merge(run.take(limit) for run in part) for split, part in runs.items()}


def _merge(parts: Iterable[Words]) -> Words:
    hashes = np.concatenate([*parts, np.empty(0, np.uint64)])
    hashes.sort()
    return hashes
