"""Hashed splits: the hash of an event determines its split."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from formats.splitmix64 import Words


def assign_splits(hashes: Words, buckets: Sequence[int]) -> NDArray[np.int64]:
    """Assigns each event to a split, the same in every run and for any division into shards.

    Args:
        hashes: uint64 [N], of the events. By those of `event_hashes`, which DataGate compares, all
            events that are equal to it are in one split, whatever their labels.
        buckets: each split's share, in whole numbers; (9, 1) means nine tenths and one tenth.

    Returns:
        int64 [N], the index in `buckets` of each event's split.

    Raises:
        ValueError: there are no buckets, or one is not positive.
    """
    if not buckets or min(buckets) < 1:
        raise ValueError(f"buckets must be whole numbers of at least 1, not {list(buckets)}")
    bucket = (hashes % np.uint64(sum(buckets))).astype(np.int64)
    return np.searchsorted(np.cumsum(buckets), bucket, side="right")
