import numpy as np
import pytest

from benchmarks.quality_figures import (
    background_rejection,
    calibration_error,
    measure_quality,
)

LABELS = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], np.float32)
SCORES = np.array([0.9, 0.8, 0.7, 0.1, 0.85, 0.3, 0.2, 0.2, 0.2, 0.2])


def test_figures_of_a_small_sample():
    quality = measure_quality(LABELS, SCORES)
    # Correctly ordered pairs of signal and background: 6 + 5 + 5 + 0 of 24.
    assert quality.auc == pytest.approx(16 / 24)
    assert quality.accuracy == pytest.approx(0.8)
    probabilities = np.where(LABELS == 1, SCORES, 1 - SCORES)
    assert quality.log_loss == pytest.approx(-np.log(probabilities).mean())


def test_rejection_is_the_inverse_background_efficiency_at_half_of_the_signal():
    # At or above 0.8: two of four signal events, one of six background events.
    assert background_rejection(LABELS, SCORES) == pytest.approx(6)


def test_rejection_of_all_background_is_infinite():
    assert background_rejection(np.array([1, 1, 0]), np.array([0.9, 0.8, 0.1])) == float("inf")


def test_scores_equal_to_signal_fractions_are_calibrated():
    labels = np.array([1, 0, 0, 0] * 25 + [1, 1, 1, 0] * 25, np.float32)
    scores = np.repeat([0.25, 0.75], 100)
    assert calibration_error(labels, scores) == pytest.approx(0)
    assert calibration_error(labels, scores + 0.1) == pytest.approx(0.1)


def test_scores_of_0_and_1_have_a_finite_loss():
    quality = measure_quality(np.array([1.0, 0.0]), np.array([0.0, 1.0], np.float32))
    assert np.isfinite(quality.log_loss)
