"""How far a run's data has moved from an earlier run's, feature by feature.

From the histograms of HistogramGen. TFDV's distance of numeric columns would be taken from ten
bins between the least and the largest value, so that one event in a tail moves it: two samples of
one distribution came out as far apart as 0.12 of 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from components.evaluator.significance import Array
from formats.histograms import ClassHistogram

NOTABLE = 0.02
"""A distance that is worth a look, where it cannot be chance."""

CHANCE = 1.949
"""Times sqrt(1/n + 1/m): the distance that two samples of n and m events of one distribution
exceed once in a thousand (Smirnov 1948, Annals of Mathematical Statistics 19, 279)."""


@dataclass(frozen=True)
class Distance:
    """How far apart a feature of two samples is.

    Attributes:
      value: the Kolmogorov-Smirnov distance, from 0 (alike) to 1 (apart).
      chance: what a thousandth of pairs of samples of this size exceed by chance.
    """

    value: float
    chance: float

    @property
    def is_notable(self) -> bool:
        """Whether the distance is large, and no chance."""
        return self.value > max(NOTABLE, self.chance)


@dataclass(frozen=True)
class Drift:
    """What a run's training data is compared with, and the distance of each feature."""

    earlier_run: str
    distances: Mapping[str, Distance]


def measure_drift(
    earlier_run: str,
    histograms: Mapping[str, ClassHistogram],
    earlier: Mapping[str, ClassHistogram],
) -> Drift:
    """The distance of every feature that both have events of."""
    return Drift(
        earlier_run,
        {
            name: distance(histogram, earlier[name])
            for name, histogram in histograms.items()
            if name in earlier and histogram.counts.any() and earlier[name].counts.any()
        },
    )


def distance(one: ClassHistogram, other: ClassHistogram) -> Distance:
    """The largest difference of the cumulative shares, at the edges of either's bins.

    Within a bin, events are taken to be spread evenly. Beyond the bins nothing is known.
    """
    (x_one, y_one), (x_other, y_other) = _cumulative(one), _cumulative(other)
    low, high = max(x_one[0], x_other[0]), min(x_one[-1], x_other[-1])
    edges = np.union1d(x_one, x_other).clip(low, high)
    apart = np.abs(np.interp(edges, x_one, y_one) - np.interp(edges, x_other, y_other)).max()
    return Distance(
        float(apart), CHANCE * float(np.sqrt(1 / one.counts.sum() + 1 / other.counts.sum()))
    )


def _cumulative(histogram: ClassHistogram) -> tuple[Array, Array]:
    """The edges, and the share of events below each."""
    binning, events = histogram.binning, histogram.counts.sum(axis=0)
    edges = np.linspace(binning.low, binning.high, binning.bins + 1)
    return edges, np.cumsum(events[:-1]) / events.sum()
