"""Choice of bins: from TFDV's statistics, such that outliers do not stretch the histogram."""

import numpy as np
from tensorflow_metadata.proto.v0 import statistics_pb2

from formats.features import DISCRETE_VALUES, FEATURES
from formats.histograms import Binning

BINS = 60
"""Bins of a continuous feature."""

MARGIN = 1.5
"""Margin on either side of the central 80 % of the events, in widths of these 80 %.

A Gaussian is covered to five standard deviations, and a single outlier changes nothing.
"""

LARGEST = np.finfo(np.float32).max
SECOND_LARGEST = float(np.nextafter(LARGEST, np.float32(0)))
"""The two largest finite values; no edge lies beyond them."""

# Beam checks type hints and does not accept a dict as a Mapping.
Binnings = dict[str, Binning]


def choose_binnings(statistics: statistics_pb2.DatasetFeatureStatistics) -> Binnings:
    """Chooses the bins of every feature from the statistics of a split."""
    numbers = {feature.path.step[0]: feature.num_stats for feature in statistics.features}
    return {name: choose_binning(name, numbers[name]) for name in FEATURES}


def choose_binning(name: str, statistics: statistics_pb2.NumericStatistics) -> Binning:
    """Chooses bins that show most events: around each discrete value, or the central 80 %.

    Any statistics yield bins, so that data that DataGate will refuse is counted as well.
    """
    if name in DISCRETE_VALUES:
        first, second, _ = DISCRETE_VALUES[name]
        # The edges are midway between the values, which are equidistant.
        return Binning(first - second / 2, first + second * 2.5, 3)
    low, high = _central_range(statistics)
    margin = MARGIN * (high - low)
    low, high = max(low - margin, statistics.min), min(high + margin, statistics.max)
    if not np.isfinite(high - low):  # Many events are infinite; DataGate will refuse them.
        low = high = 0.0
    if low == high:
        half = max(0.5, 1e-6 * abs(low))  # The second is what float32 resolves.
        low, high = low - half, low + half
    # The largest value belongs in the last bin, which does not include its upper edge.
    edge = np.nextafter(np.float32(min(high, SECOND_LARGEST)), LARGEST)
    return Binning(low, float(edge), BINS)


def _central_range(statistics: statistics_pb2.NumericStatistics) -> tuple[float, float]:
    """Returns the limits of the central 80 % of the events, from TFDV's ten quantiles."""
    for histogram in statistics.histograms:
        if histogram.type == statistics_pb2.Histogram.QUANTILES and histogram.buckets:
            return histogram.buckets[0].high_value, histogram.buckets[-1].low_value
    return 0.0, 0.0
