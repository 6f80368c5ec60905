"""Counts of events by feature, class and bin, and a fingerprint: sums over parts of a split.

TFDV's histograms do not distinguish the classes, and slicing by class would double its work; this
count costs a tenth of it.
"""

import functools
import operator
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from formats import splitmix64
from formats.histograms import Binning, ClassCounts, Counts


def count_events(
    columns: Mapping[str, npt.NDArray[np.float32]],
    labels: npt.NDArray[np.float32],
    binnings: Mapping[str, Binning],
) -> ClassCounts:
    """Counts events.

    Args:
        columns: float32 [N] by feature.
        labels: float32 [N], 1.0 for signal and 0.0 for background.
        binnings: bins by feature.
    """
    is_signal = labels > 0.5
    return ClassCounts(
        {name: _count(columns[name], is_signal, binning) for name, binning in binnings.items()},
        fingerprint([labels, *columns.values()]),
    )


def add(parts: Iterable[ClassCounts]) -> ClassCounts:
    """Adds up the counts of at least one part."""
    return functools.reduce(operator.add, parts)


def bin_indices(values: npt.NDArray[np.float32], binning: Binning) -> npt.NDArray[np.intp]:
    """Returns the bin of each value: 0 is below, ``bins + 1`` is from ``high`` on.

    >>> bin_indices(np.array([-1, 0, 0.6, 1], np.float32), Binning(0.0, 1.0, 2)).tolist()
    [0, 1, 2, 3]
    """
    positions = (values - binning.low) * (binning.bins / (binning.high - binning.low))
    return np.clip(np.floor(positions) + 1, 0, binning.bins + 1).astype(np.intp)


def fingerprint(columns: Iterable[npt.NDArray[np.float32]]) -> int:
    """Sums a hash of each event's float32 values, modulo 2**64.

    The values of an event are hashed one after the other, so that exchanging values between
    events changes the sum.
    """
    hashes: splitmix64.Words | np.uint64 = np.uint64(0)
    for column in columns:
        words = np.ascontiguousarray(column).view(np.uint32).astype(np.uint64)
        hashes = splitmix64.mix(words + hashes * splitmix64.GOLDEN_GAMMA)
    return int(np.sum(hashes, dtype=np.uint64))


def _count(
    values: npt.NDArray[np.float32], is_signal: npt.NDArray[np.bool_], binning: Binning
) -> Counts:
    is_number = ~np.isnan(values)
    if not is_number.all():
        values, is_signal = values[is_number], is_signal[is_number]
    width = binning.bins + 2
    indices = bin_indices(values, binning) + is_signal * width
    return np.bincount(indices, minlength=2 * width).reshape(2, width)
