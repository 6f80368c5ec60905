import numpy as np
import pytest

from benchmarks.judging import background_rejection, calibration_error, judge

LABELS = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], np.float32)
SCORES = np.array([0.9, 0.8, 0.7, 0.1, 0.85, 0.3, 0.2, 0.2, 0.2, 0.2])


def test_figures_of_a_small_sample():
    found = judge(LABELS, SCORES)
    # Pairs of signal and background in the right order: 6 + 5 + 5 + 0 of 24.
    assert found.auc == pytest.approx(16 / 24)
    assert found.accuracy == pytest.approx(0.8)
    chances = np.where(LABELS == 1, SCORES, 1 - SCORES)
    assert found.log_loss == pytest.approx(-np.log(chances).mean())


def test_rejection_is_one_over_the_background_kept_with_half_of_the_signal():
    # At 0.8 and above: two of four signal, one of six background.
    assert background_rejection(LABELS, SCORES) == pytest.approx(6)


def test_background_that_is_all_rejected_is_infinite():
    assert background_rejection(np.array([1, 1, 0]), np.array([0.9, 0.8, 0.1])) == float("inf")


def test_scores_that_are_shares_are_calibrated():
    labels = np.array([1, 0, 0, 0] * 25 + [1, 1, 1, 0] * 25, np.float32)
    scores = np.repeat([0.25, 0.75], 100)
    assert calibration_error(labels, scores) == pytest.approx(0)
    assert calibration_error(labels, scores + 0.1) == pytest.approx(0.1)


def test_certain_scores_have_a_finite_loss():
    assert np.isfinite(judge(np.array([1.0, 0.0]), np.array([0.0, 1.0], np.float32)).log_loss)
