"""Repeated events: within a split, or shared by two splits, one of which tests the other's model.

The hashes that ingestion wrote are compared range by range. The labels are not part of them: the
same features with another label in the other split are a leak as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from components.data_gate.event_locations import Location, first_location
from formats.event_hash import event_hashes, is_in
from formats.hash_runs import RANGE_EVENTS, find_runs, in_ranges
from formats.ingested_shards import IngestionFile
from formats.splitmix64 import Words

MAX_KEPT = 1 << 20
"""Hashes of shared events that are kept to find the first one."""

Pair = tuple[str, str]


@dataclass
class Repetitions:
    """Repeated events within and between splits.

    Attributes:
        duplicates: by split, the number of events that repeat an earlier one of the split.
        shared: by pair of splits, the number of events of the second that are also in the first.
        hashes: by pair of splits, sorted hashes of shared events, at least the first ones.
    """

    duplicates: dict[str, int] = field(default_factory=dict)
    shared: dict[Pair, int] = field(default_factory=dict)
    hashes: dict[Pair, Words] = field(default_factory=dict)


def find_repetitions(
    examples_uri: str, splits: Sequence[str], range_events: int = RANGE_EVENTS
) -> Repetitions:
    """Counts repeated events within and between splits.

    Args:
        examples_uri: folder of the Examples.
        splits: names of the splits.
        range_events: number of hashes in memory, about.
    """
    runs = {split: find_runs(examples_uri, split) for split in splits}
    repetitions = Repetitions(dict.fromkeys(splits, 0), dict.fromkeys(combinations(splits, 2), 0))
    parts_by_pair: dict[Pair, list[Words]] = {pair: [] for pair in repetitions.shared}
    for hashes in in_ranges(runs, range_events):
        for split, part in hashes.items():
            repetitions.duplicates[split] += int((part[1:] == part[:-1]).sum())
        for first, second in repetitions.shared:
            shared = hashes[second][is_in(hashes[second], hashes[first])]
            repetitions.shared[first, second] += len(shared)
            if sum(map(len, parts_by_pair[first, second])) < MAX_KEPT:
                parts_by_pair[first, second].append(np.unique(shared))
    repetitions.hashes = {pair: np.concatenate(parts) for pair, parts in parts_by_pair.items()}
    return repetitions


def first_shared(
    examples_uri: str, pair: Pair, hashes: Words, ingestion: IngestionFile
) -> tuple[Location, Location] | None:
    """Finds the first shared event of a pair of splits in the shards that were ingested.

    Args:
        examples_uri: folder of the Examples.
        pair: the two splits.
        hashes: sorted hashes of shared events.
        ingestion: the shards that were ingested.

    Returns:
        Its location in the second split and in the first; None if only hashes agree, not events.
    """
    while len(hashes):
        second = first_location(examples_uri, pair[1], hashes, ingestion)
        if second is None:
            return None
        sought = hashes[:1] if second.features is None else event_hashes(second.features[None])
        first = first_location(examples_uri, pair[0], sought, ingestion)
        if first is None:
            return None
        if _may_be_equal(first, second):
            return second, first
        hashes = hashes[hashes != sought[0]]
    return None


def _may_be_equal(first: Location, second: Location) -> bool:
    if first.features is None or second.features is None:
        return True
    return np.array_equal(first.features, second.features, equal_nan=True)
