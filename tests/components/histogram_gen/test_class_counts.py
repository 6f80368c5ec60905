"""Counts by class and bin, and the fingerprint, against counts made one event at a time."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.histogram_gen.class_counts import (
    BINS,
    Binning,
    choose_binning,
    count,
    fingerprint,
    total,
)
from formats.features import DISCRETE_VALUES

BINNING = Binning(0.0, 1.0, 4)


def statistics(low, high, quantiles=()):
    numbers = statistics_pb2.NumericStatistics(min=low, max=high)
    if quantiles:
        histogram = numbers.histograms.add(type=statistics_pb2.Histogram.QUANTILES)
        for left, right in itertools.pairwise(quantiles):
            histogram.buckets.add(low_value=left, high_value=right)
    return numbers


def float32(*values):
    return np.array(values, np.float32)


def test_events_by_class_and_bin_with_what_lies_outside_at_either_end():
    values = float32(-1, 0, 0.3, 0.6, 0.99, 1, 7)
    census = count({"m_bb": values}, float32(0, 0, 0, 1, 1, 1, 1), {"m_bb": BINNING})
    assert census.counts["m_bb"].tolist() == [[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 2]]


def test_infinities_are_outside_and_nan_is_nowhere():
    values = float32(-np.inf, np.inf, np.nan, 0.5)
    census = count({"m_bb": values}, float32(1, 1, 1, 1), {"m_bb": BINNING})
    assert census.counts["m_bb"].tolist() == [[0] * 6, [1, 0, 0, 1, 0, 1]]


def test_parts_add_up_to_the_whole():
    rng = np.random.default_rng(1)
    values, labels = float32(*rng.normal(size=1000)), float32(*rng.integers(0, 2, 1000))
    whole = count({"m_bb": values}, labels, {"m_bb": BINNING})
    parts = [
        count({"m_bb": values[part]}, labels[part], {"m_bb": BINNING})
        for part in (slice(0, 10), slice(10, 600), slice(600, None))
    ]
    together = total(parts)
    assert together.counts["m_bb"].tolist() == whole.counts["m_bb"].tolist()
    assert together.fingerprint == whole.fingerprint
    assert whole.counts["m_bb"].sum() == 1000


def hashed(*columns):
    return fingerprint([float32(*column) for column in columns])


def test_a_fingerprint_knows_no_order_of_events():
    assert hashed((1, 0, 1), (5, 6, 7)) == hashed((1, 1, 0), (7, 5, 6))


@pytest.mark.parametrize(
    "other",
    [
        ((1, 0), (6, 5)),  # values that changed places between events
        ((5, 6), (1, 0)),  # columns that changed places
        ((1, 0), (5, np.nextafter(np.float32(6), np.float32(7)))),  # one bit
        ((1, 0, 1, 0), (5, 6, 5, 6)),  # every event twice
    ],
)
def test_a_fingerprint_tells_other_events_apart(other):
    assert hashed((1, 0), (5, 6)) != hashed(*other)


def test_a_fingerprint_is_golden():
    """Fingerprints are compared between releases, so the hash must not change unnoticed."""
    assert f"{hashed((1, 0), (0.5, -2)):016x}" == "06a23fc7d3ef49d2"


def test_bins_cover_the_bulk_and_no_outlier():
    binning = choose_binning("m_bb", statistics(0.1, 1e6, [0.1, 0.5, 1.0, 1.5, 1e6]))
    # The central 80 % lie in 0.5 to 1.5, and 1.5 times their width is added.
    assert binning.low == 0.1
    assert binning.high == pytest.approx(3.0)
    assert binning.bins == BINS


def test_the_largest_value_is_in_the_last_bin():
    binning = choose_binning("m_bb", statistics(0.0, 1.0, [0.0, 0.1, 0.5, 0.9, 1.0]))
    assert binning.index(float32(0.0, 1.0)).tolist() == [1, BINS]


@pytest.mark.parametrize("name", DISCRETE_VALUES)
def test_each_code_of_a_b_tag_has_its_bin(name):
    binning = choose_binning(name, statistics(0, 3))
    assert binning.index(float32(*DISCRETE_VALUES[name])).tolist() == [1, 2, 3]


@example([0.0, 0.0, float(np.finfo(np.float32).max), np.inf])
@example([float(np.finfo(np.float32).max)] * 4)
@example([1e30] * 4)
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=4, max_size=4))
def test_there_are_bins_for_any_values(values):
    quantiles = sorted(values)
    binning = choose_binning("m_bb", statistics(quantiles[0], quantiles[-1], quantiles))
    assert np.isfinite([binning.low, binning.high]).all()
    assert binning.low < binning.high
    places = binning.index(float32(-np.inf, 0, np.inf))
    assert places.min() >= 0
    assert places.max() <= binning.bins + 1
