import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from components.evaluator.significance import (
    Z_95,
    auc_standard_error,
    median_significance,
    naive_significance,
)


def test_naive_significance_is_signal_over_root_of_background():
    found = naive_significance([10, 10, 0], [4, 0, 9])
    np.testing.assert_allclose(found, [5, np.nan, 0])


def test_median_significance_is_the_formula():
    s, b, r = 30.0, 50.0, 10.0
    expected = np.sqrt(2 * ((s + b + r) * np.log(1 + s / (b + r)) - s))
    assert float(median_significance(s, b)) == pytest.approx(expected)


def test_median_significance_of_little_signal_is_the_naive_one():
    assert float(median_significance(1.0, 1e6, 0.0)) == pytest.approx(1e-3, rel=1e-4)


def test_no_signal_is_no_significance():
    assert float(median_significance(0.0, 5.0)) == 0


def delong(positive, negative):
    """The standard error from the placements of each event, as DeLong et al. define it."""
    above = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    by_positive, by_negative = above.mean(axis=1), above.mean(axis=0)
    variance = by_positive.var(ddof=1) / len(positive) + by_negative.var(ddof=1) / len(negative)
    return np.sqrt(variance)


def test_standard_error_is_delongs_for_scores_with_ties():
    rng = np.random.default_rng(1)
    positive, negative = rng.integers(2, 20, 300), rng.integers(0, 18, 500)
    counts = [np.bincount(scores, minlength=20).astype(float) for scores in (positive, negative)]
    assert auc_standard_error(*counts) == pytest.approx(delong(positive, negative), rel=1e-9)


def test_interval_holds_the_true_auc_19_times_of_20():
    rng = np.random.default_rng(2)
    true, held, samples = 0.7602, 0, 300
    for _ in range(samples):
        positive, negative = rng.normal(1, 1, 200), rng.normal(0, 1, 200)
        edges = np.linspace(-5, 6, 501)
        error = auc_standard_error(
            np.histogram(positive, edges)[0].astype(float),
            np.histogram(negative, edges)[0].astype(float),
        )
        labels = np.repeat([1, 0], 200)
        auc = roc_auc_score(labels, np.concatenate([positive, negative]))
        held += abs(auc - true) < Z_95 * error
    assert 0.91 < held / samples < 0.98


def test_one_event_of_a_class_has_no_interval():
    assert np.isnan(auc_standard_error(np.array([1.0, 0]), np.array([3.0, 4])))
