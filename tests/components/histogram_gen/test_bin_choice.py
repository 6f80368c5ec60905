import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.histogram_gen.bin_choice import BINS, central_range, choose_binning
from components.histogram_gen.class_counts import bin_indices
from formats.features import DISCRETE_VALUES, HIGH_LEVEL

MASS = HIGH_LEVEL[0]


def statistics(low, high):
    return statistics_pb2.NumericStatistics(min=low, max=high)


def test_bins_cover_most_events_but_not_an_outlier():
    binning = choose_binning(MASS, statistics(0.1, 1e6), (0.5, 1.5))
    # The central 80 % lie in 0.5 to 1.5, and 1.5 times their width is added.
    assert binning.low == 0.1
    assert binning.high == pytest.approx(3.0)
    assert binning.bins == BINS


def test_the_largest_value_is_in_the_last_bin():
    binning = choose_binning(MASS, statistics(0.0, 1.0), (0.1, 0.9))
    assert bin_indices(np.float32([0, 1]), binning).tolist() == [1, BINS]


@pytest.mark.parametrize("name", DISCRETE_VALUES)
def test_each_discrete_value_has_a_bin(name):
    binning = choose_binning(name, statistics(0, 3), (0.0, 3.0))
    values = np.float32(DISCRETE_VALUES[name])
    assert bin_indices(values, binning).tolist() == [1, 2, 3]
    # In the middle of its bin.
    centers = binning.low + (binning.high - binning.low) * np.array([1, 3, 5]) / 6
    np.testing.assert_allclose(centers, values, atol=1e-6)


@pytest.mark.slow
@example([0.0, 0.0, float(np.finfo(np.float32).max), np.inf])
@example([float(np.finfo(np.float32).max)] * 4)
@example([1e30] * 4)
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=4, max_size=4))
def test_any_statistics_yield_bins(values):
    quantiles = sorted(values)
    binning = choose_binning(
        MASS, statistics(quantiles[0], quantiles[-1]), (quantiles[1], quantiles[2])
    )
    assert np.isfinite([binning.low, binning.high]).all()
    assert binning.low < binning.high
    indices = bin_indices(np.float32([-np.inf, 0, np.inf]), binning)
    assert indices.min() >= 0
    assert indices.max() <= binning.bins + 1


def test_the_central_range_is_that_of_the_numbers():
    values = np.random.default_rng(0).permutation(np.arange(1001)).astype(np.float32)
    assert central_range(np.append(values, [np.nan] * 500).astype(np.float32)) == (100.0, 900.0)
    assert central_range(np.float32([np.nan])) == (0.0, 0.0)
    assert central_range(np.float32([np.inf] * 3)) == (np.inf, np.inf)
