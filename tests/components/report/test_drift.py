import numpy as np
import pytest
from scipy.stats import ks_2samp

from components.histogram_gen.class_counts import Binning
from components.report.drift import distance, measure_drift
from formats.histograms import ClassHistogram


def histogram(values, low=-4.0, high=4.0, bins=80):
    binning = Binning(low, high, bins)
    counts = np.bincount(binning.index(values.astype(np.float32)), minlength=bins + 2)
    return ClassHistogram(binning, np.stack([counts // 2, counts - counts // 2]))


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def test_distance_is_kolmogorov_smirnovs(rng):
    one, other = rng.normal(0, 1, 20_000), rng.normal(0.3, 1.2, 20_000)
    found = distance(histogram(one), histogram(other))
    assert found.value == pytest.approx(ks_2samp(one, other).statistic, abs=0.005)
    assert found.is_notable


def test_histograms_of_other_bins_are_compared_where_both_know(rng):
    one, other = rng.normal(0, 1, 20_000), rng.normal(0, 1, 20_000)
    found = distance(histogram(one), histogram(other, -3.0, 5.0, 37))
    assert found.value < found.chance
    assert not found.is_notable


def test_samples_of_one_distribution_are_rarely_notable(rng):
    flagged = [
        distance(histogram(rng.normal(size=500)), histogram(rng.normal(size=500))).is_notable
        for _ in range(100)
    ]
    assert sum(flagged) <= 1


def test_small_shift_of_many_events_is_no_chance_but_not_notable(rng):
    found = distance(histogram(rng.normal(0, 1, 500_000)), histogram(rng.normal(0.03, 1, 500_000)))
    assert found.value > found.chance
    assert not found.is_notable


def test_only_features_that_both_have_are_compared(rng):
    sample = histogram(rng.normal(size=100))
    drift = measure_drift("run-0", {"m_bb": sample, "new": sample}, {"m_bb": sample, "old": sample})
    assert drift.earlier_run == "run-0"
    assert list(drift.distances) == ["m_bb"]
    assert drift.distances["m_bb"].value == 0


def test_feature_without_events_is_not_compared(rng):
    sample, empty = histogram(rng.normal(size=100)), histogram(np.array([]))
    for pair in ((sample, empty), (empty, sample), (empty, empty)):
        assert measure_drift("run-0", *({"m_bb": each} for each in pair)).distances == {}
