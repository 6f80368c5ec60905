"""The standard errors against the scatter of simulated samples."""

import math

import numpy as np
import pytest
from scipy.special import expit

from components.evaluator.metrics import maximal_significance
from components.evaluator.score_counts import background_rejection, count_scores
from components.evaluator.standard_errors import rejection_error, significance_error


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(1)
    labels = np.repeat([0.0, 1.0], 2000)
    weights = np.ones(len(labels))
    return [count_scores(labels, expit(rng.normal(1.5 * labels)), weights) for _ in range(300)]


@pytest.mark.parametrize("efficiency", [0.3, 0.5, 0.8])
def test_error_of_the_rejection_is_its_scatter(samples, efficiency):
    values = [background_rejection(counts, efficiency) for counts in samples]
    errors = [rejection_error(counts, efficiency) for counts in samples]
    assert np.median(errors) == pytest.approx(np.std(values), rel=0.15)


def test_error_of_the_significance_is_its_scatter(samples):
    values = [maximal_significance(counts) for counts in samples]
    errors = [significance_error(counts) for counts in samples]
    assert np.median(errors) == pytest.approx(np.std(values), rel=0.2)


def test_errors_are_undefined_where_the_metrics_are():
    one_class = count_scores(np.ones(5), np.linspace(0, 1, 5), np.ones(5))
    assert math.isnan(rejection_error(one_class, 0.5))
    assert math.isnan(significance_error(one_class))
    separated = count_scores(np.repeat([0.0, 1.0], 5), np.linspace(0, 1, 10), np.ones(10))
    assert math.isnan(rejection_error(separated, 0.5))
    assert significance_error(separated) == 0
