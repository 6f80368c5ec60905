import numpy as np
import pytest
from scipy.stats import ks_2samp

from components.report.drift import distance, measure_drift
from formats.histograms import Binning, ClassHistogram


def histogram(values, low=-4.0, high=4.0, bins=80):
    binning = Binning(low, high, bins)
    edges = [-np.inf, *binning.edges, np.inf]
    counts = np.histogram(values, edges)[0]
    return ClassHistogram(binning, np.stack([counts // 2, counts - counts // 2]))


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def test_distance_is_that_of_kolmogorov_and_smirnov(rng):
    first, second = rng.normal(0, 1, 20_000), rng.normal(0.3, 1.2, 20_000)
    measured = distance(histogram(first), histogram(second))
    assert measured.value == pytest.approx(ks_2samp(first, second).statistic, abs=0.005)
    assert measured.is_notable


def test_histograms_with_other_bins_are_compared_where_they_overlap(rng):
    first, second = rng.normal(0, 1, 20_000), rng.normal(0, 1, 20_000)
    measured = distance(histogram(first), histogram(second, -3.0, 5.0, 37))
    assert measured.value < measured.quantile
    assert not measured.is_notable


def test_histograms_without_overlap_are_disjoint(rng):
    measured = distance(histogram(rng.normal(0, 1, 1000)), histogram(np.full(1000, 50), 49, 51, 4))
    assert measured.value > 0.95


def test_samples_of_one_distribution_are_rarely_notable(rng):
    notable = [
        distance(histogram(rng.normal(size=500)), histogram(rng.normal(size=500))).is_notable
        for _ in range(100)
    ]
    assert sum(notable) <= 1


def test_small_shift_of_many_events_is_significant_but_not_notable(rng):
    first, second = rng.normal(0, 1, 500_000), rng.normal(0.03, 1, 500_000)
    measured = distance(histogram(first), histogram(second))
    assert measured.value > measured.quantile
    assert not measured.is_notable


def test_only_common_features_are_compared(rng):
    sample = histogram(rng.normal(size=100))
    drift = measure_drift("run-0", {"m_bb": sample, "new": sample}, {"m_bb": sample, "old": sample})
    assert drift.earlier_run == "run-0"
    assert list(drift.distances) == ["m_bb"]
    assert drift.distances["m_bb"].value == 0


def test_features_without_events_are_not_compared(rng):
    sample, empty = histogram(rng.normal(size=100)), histogram(np.array([]))
    for first, second in ((sample, empty), (empty, sample), (empty, empty)):
        assert measure_drift("run-0", {"m_bb": first}, {"m_bb": second}).distances == {}
