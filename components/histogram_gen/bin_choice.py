"""Choice of bins that outliers do not stretch.

TFDV's quantiles are not used: they depend on the order in which an engine merges its sketches, and
the same events must have the same bins on every engine. Minimum and maximum do not depend on the
order, and the central range comes from a sample of the row groups.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
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


def choose_binnings(
    statistics: statistics_pb2.DatasetFeatureStatistics,
    sample: Mapping[str, npt.NDArray[np.float32]],
) -> dict[str, Binning]:
    """Chooses the bins of every feature of a split.

    Args:
        statistics: of the split; only minimum and maximum are used.
        sample: values of some of its events by feature, float32 [n].
    """
    numbers = {feature.path.step[0]: feature.num_stats for feature in statistics.features}
    return {
        name: choose_binning(name, numbers[name], central_range(sample[name])) for name in FEATURES
    }


def choose_binning(
    name: str, statistics: statistics_pb2.NumericStatistics, central: tuple[float, float]
) -> Binning:
    """Chooses bins that show most events: around each discrete value, or the central 80 %.

    Any statistics yield bins, so that data that DataGate will refuse is counted as well.

    Args:
        name: the feature.
        statistics: of all its values.
        central: from ``central_range``.
    """
    if name in DISCRETE_VALUES:
        first, second, _ = DISCRETE_VALUES[name]
        # The edges are midway between the values, which are equidistant.
        return Binning(first - second / 2, first + second * 2.5, 3)
    low, high = central
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


def central_range(values: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Returns the limits of the central 80 % of the values, which are two of them; NaN is ignored.

    >>> central_range(np.arange(101, dtype=np.float32))
    (10.0, 90.0)
    """
    numbers = values[~np.isnan(values)]
    if not len(numbers):
        return 0.0, 0.0
    low, high = np.quantile(numbers, [0.1, 0.9], method="nearest")
    return float(low), float(high)
