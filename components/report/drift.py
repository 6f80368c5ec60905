"""Drift: how far the features of two runs are apart, from their histograms.

TFDV's distance of numeric columns is not used: it takes ten bins between the minimum and the
maximum, so that a single event in a tail changes it. For two samples of the same distribution it
gave distances up to 0.12 of 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from formats.evaluation_record import Array
from formats.histograms import ClassHistogram

NOTABLE = 0.02
"""Distances up to this one are never notable."""

SMIRNOV_999 = 1.949
"""The 99.9 % quantile of the distance of two samples of n and m events of the same distribution,
in units of sqrt(1/n + 1/m) (Smirnov 1948, Annals of Mathematical Statistics 19, 279)."""


@dataclass(frozen=True)
class Distance:
    """Distance of a feature's distributions in two samples.

    Attributes:
        value: the Kolmogorov-Smirnov distance, from 0 (equal) to 1 (disjoint).
        quantile: the 99.9 % quantile for samples of this size of the same distribution.
    """

    value: float
    quantile: float

    @property
    def is_notable(self) -> bool:
        """Returns whether the distance is large and not explained by chance."""
        return self.value > max(NOTABLE, self.quantile)


@dataclass(frozen=True)
class Drift:
    """Distances by feature between a run's training data and that of an earlier run."""

    earlier_run: str
    distances: Mapping[str, Distance]


def measure_drift(
    earlier_run: str,
    histograms: Mapping[str, ClassHistogram],
    earlier_histograms: Mapping[str, ClassHistogram],
) -> Drift:
    """Measures the distance of every feature that has events in both runs."""
    return Drift(
        earlier_run,
        {
            name: distance(histogram, earlier)
            for name, histogram in histograms.items()
            if (earlier := earlier_histograms.get(name))
            and histogram.counts.any()
            and earlier.counts.any()
        },
    )


def distance(first: ClassHistogram, second: ClassHistogram) -> Distance:
    """Computes the largest difference of the cumulative distributions at the edges of all bins.

    Events are taken to be evenly distributed within a bin. Values beyond the bins of either
    histogram are not compared.
    """
    edges_1, shares_1 = _cumulative(first)
    edges_2, shares_2 = _cumulative(second)
    low, high = max(edges_1[0], edges_2[0]), min(edges_1[-1], edges_2[-1])
    edges = np.union1d(edges_1, edges_2).clip(low, high)
    differences = np.interp(edges, edges_1, shares_1) - np.interp(edges, edges_2, shares_2)
    scale = np.sqrt(1 / first.counts.sum() + 1 / second.counts.sum())
    return Distance(float(np.abs(differences).max()), float(SMIRNOV_999 * scale))


def _cumulative(histogram: ClassHistogram) -> tuple[Array, Array]:
    """Returns the edges of the bins and the share of events below each."""
    events = histogram.counts.sum(axis=0)
    return histogram.binning.edges, np.cumsum(events[:-1]) / events.sum()
