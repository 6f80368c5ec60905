import numpy as np
import pytest

from components.report.evaluation import SMALL_SLICE, Scores


@pytest.fixture
def scores():
    return Scores(
        np.array([1.0, 2, 3, 4]), np.array([40.0, 30, 20, 10]), np.array([4.0, 12, 14, 12])
    )


def test_events_that_pass_are_those_at_or_above_the_cut(scores):
    signal, background = scores.passing()
    assert signal.tolist() == [10, 9, 7, 4, 0]
    assert background.tolist() == [100, 60, 30, 10, 0]


def test_fewer_bins_hold_the_same_events(scores):
    found = scores.rebinned(2)
    assert found.signal.tolist() == [3, 7]
    assert found.background.tolist() == [70, 30]
    assert found.score_sum.tolist() == [16, 26]


def test_interval_is_about_the_auc_and_within_its_range(make):
    low, high = make.measured(auc=0.8).auc_interval
    assert low < 0.8 < high
    assert high - 0.8 == pytest.approx(0.8 - low)
    assert make.measured(auc=1.0, events=100).auc_interval[1] == 1.0


def test_slices_of_few_events_are_small(make):
    assert make.measured(events=SMALL_SLICE - 2).is_small
    assert not make.measured(events=SMALL_SLICE).is_small
