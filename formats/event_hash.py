"""The hash of an event: the same in every run, file and split."""

import numpy as np
import numpy.typing as npt

from formats import splitmix64
from formats.features import NUM_FEATURES
from formats.splitmix64 import Words

_MULTIPLIERS = splitmix64.sequence(NUM_FEATURES) | np.uint64(1)


def event_hashes(features: npt.NDArray[np.float32]) -> Words:
    """Hashes each event's features, without the label: uint64 [N].

    The same features with another label are the same event, and 0 and -0 are equal. The hash is
    multilinear over the 28 words (Lemire, Kaser 2014, doi:10.1093/comjnl/bxt070), finalized by
    SplitMix64.

    Args:
        features: float32 [N, 28].

    >>> first, second = event_hashes(np.float32([[0.0] * 28, [-0.0] * 28]))
    >>> first == second
    True
    """
    hashes = np.zeros(len(features), np.uint64)
    # A signaling NaN would cause a warning.
    with np.errstate(invalid="ignore"):
        for column, multiplier in zip(features.T, _MULTIPLIERS, strict=True):
            words = (column + np.float32(0)).view(np.uint32).astype(np.uint64)
            hashes += words * multiplier
    return splitmix64.mix(hashes)


def is_in(values: Words, others: Words) -> npt.NDArray[np.bool_]:
    """Returns which hashes are among the others, both sorted: bool [N]."""
    if not len(others):
        return np.zeros(len(values), np.bool_)
    indices = np.searchsorted(others, values)
    return others[np.minimum(indices, len(others) - 1)] == values
