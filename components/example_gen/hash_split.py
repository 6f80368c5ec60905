"""Hashed splits: each event's bytes determine its split."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from formats import splitmix64
from formats.features import COLUMNS
from formats.published.record import Events

# One odd number for each of a record's 29 words.
_MULTIPLIERS = splitmix64.sequence(len(COLUMNS)) | np.uint64(1)


def assign_splits(events: Events, buckets: Sequence[int]) -> NDArray[np.int64]:
    """Assigns each event to a split, the same in every run and for any division into shards.

    The hash is multilinear over the record's 29 little-endian 32-bit words (Lemire, Kaser 2014,
    doi:10.1093/comjnl/bxt070), finalized by SplitMix64.

    Args:
        events: the events to assign.
        buckets: each split's share, in whole numbers; (9, 1) means nine tenths and one tenth.

    Returns:
        int64 [N], the index in `buckets` of each event's split.

    Raises:
        ValueError: there are no buckets, or one is not positive.
    """
    if not buckets or min(buckets) < 1:
        raise ValueError(f"buckets must be whole numbers of at least 1, not {list(buckets)}")
    words = np.column_stack([events.features, events.labels]).astype("<f4").view("<u4")
    hashes = splitmix64.mix(words.astype(np.uint64) @ _MULTIPLIERS)
    bucket = (hashes % np.uint64(sum(buckets))).astype(np.int64)
    return np.searchsorted(np.cumsum(buckets), bucket, side="right")
