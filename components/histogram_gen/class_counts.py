"""Events by feature, class and bin, and a fingerprint of them: sums that can be taken in parts.

TFDV's histograms do not know the classes, and slicing by class would double its work; this count
costs a tenth of it.
"""

import functools
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from tensorflow_metadata.proto.v0 import statistics_pb2

from formats.features import DISCRETE_VALUES

BINS = 60
"""Bins of a feature that is no code."""

REACH = 1.5
"""How far the bins go beyond the central 80 % of the events, in widths of these 80 %.

A Gaussian is covered to five standard deviations, and a single outlier moves nothing.
"""

LARGEST = np.finfo(np.float32).max
PENULTIMATE = float(np.nextafter(LARGEST, np.float32(0)))
"""The two largest finite values; no edge lies beyond them."""

CLASSES = ("background", "signal")
"""The rows of the counts, by label."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Binning:
    """Equal bins from ``low`` to ``high``; what lies outside is counted at either end."""

    low: float
    high: float
    bins: int

    def index(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
        """The place of each value [N]: 0 is below, ``bins + 1`` is from ``high`` on."""
        places = (values - self.low) * (self.bins / (self.high - self.low))
        return np.clip(np.floor(places) + 1, 0, self.bins + 1).astype(np.intp)


@dataclass(frozen=True)
class Census:
    """What was counted in a part of a split.

    Attributes:
      counts: int64 [2, bins + 2] by feature: background and signal, below, in each bin and
        above. Values that are NaN are in none.
      fingerprint: a sum of 64-bit hashes, one an event, modulo 2**64: equal for the same events
        in any order and any files.
    """

    counts: Mapping[str, Counts]
    fingerprint: int

    def __add__(self, other: "Census") -> "Census":
        return Census(
            {name: counts + other.counts[name] for name, counts in self.counts.items()},
            (self.fingerprint + other.fingerprint) % 2**64,
        )


def choose_binning(name: str, statistics: statistics_pb2.NumericStatistics) -> Binning:
    """Bins that show a feature's bulk: its codes, or what is near its central 80 %.

    There is an answer for any values, so that data which DataGate will refuse is counted too.
    """
    if name in DISCRETE_VALUES:
        none, loose, _ = DISCRETE_VALUES[name]
        # Half way between the codes, which are equally far apart.
        return Binning(none - loose / 2, none + loose * 2.5, 3)
    low, high = _central(statistics)
    reach = REACH * (high - low)
    low, high = max(low - reach, statistics.min), min(high + reach, statistics.max)
    if not np.isfinite(high - low):  # so are many events, and DataGate will say so
        low = high = 0.0
    if low == high:
        half = max(0.5, 1e-6 * abs(low))  # what float32 can tell apart
        low, high = low - half, low + half
    # The largest value belongs into the last bin, which does not hold its upper edge.
    edge = np.nextafter(np.float32(min(high, PENULTIMATE)), LARGEST)
    return Binning(low, float(edge), BINS)


def count(
    columns: Mapping[str, npt.NDArray[np.float32]],
    labels: npt.NDArray[np.float32],
    binnings: Mapping[str, Binning],
) -> Census:
    """Counts events.

    Args:
      columns: float32 [N] by feature.
      labels: float32 [N], 1.0 for signal and 0.0 for background.
      binnings: by feature.
    """
    signal = labels > 0.5
    return Census(
        {name: _count(columns[name], signal, binning) for name, binning in binnings.items()},
        fingerprint([labels, *columns.values()]),
    )


def total(parts: Iterable[Census]) -> Census:
    """The census of all parts together; there must be one at least."""
    return functools.reduce(operator.add, parts)


def fingerprint(columns: Iterable[npt.NDArray[np.float32]]) -> int:
    """The sum over events of a hash of their float32 values, modulo 2**64.

    Each event's words go through the finaliser of SplitMix64 (Steele, Lea, Flood 2014), so that
    values which change places between events change the sum.
    """
    hashes: Any = np.uint64(0)
    for column in columns:
        words = np.ascontiguousarray(column).view(np.uint32).astype(np.uint64)
        hashes = _mix(words + hashes * np.uint64(0x9E3779B97F4A7C15))
    return int(np.sum(hashes, dtype=np.uint64))


def _central(statistics: statistics_pb2.NumericStatistics) -> tuple[float, float]:
    """Where the central 80 % of the events begin and end, from TFDV's ten quantiles."""
    for histogram in statistics.histograms:
        if histogram.type == statistics_pb2.Histogram.QUANTILES and histogram.buckets:
            return histogram.buckets[0].high_value, histogram.buckets[-1].low_value
    return 0.0, 0.0


def _count(
    values: npt.NDArray[np.float32], signal: npt.NDArray[np.bool_], binning: Binning
) -> Counts:
    known = ~np.isnan(values)
    if not known.all():
        values, signal = values[known], signal[known]
    places = binning.index(values) + signal * (binning.bins + 2)
    return np.bincount(places, minlength=2 * (binning.bins + 2)).reshape(2, -1)


def _mix(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
