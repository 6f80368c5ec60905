import numpy as np
import pytest

from components.evaluator.significance import median_significance, naive_significance


def test_naive_significance_is_signal_over_root_of_background():
    significance = naive_significance([10, 10, 0], [4, 0, 9])
    np.testing.assert_allclose(significance, [5, np.nan, 0])


def test_median_significance_is_the_formula():
    s, b, r = 30.0, 50.0, 10.0
    expected = np.sqrt(2 * ((s + b + r) * np.log(1 + s / (b + r)) - s))
    assert float(median_significance(s, b)) == pytest.approx(expected)


def test_median_significance_of_little_signal_is_the_naive_one():
    assert float(median_significance(1.0, 1e6)) == pytest.approx(1e-3, rel=1e-4)


def test_no_signal_has_no_significance():
    assert float(median_significance(0.0, 5.0)) == 0


def test_rounding_of_a_tiny_signal_is_not_an_undefined_significance():
    signal, background = 1.115883992507748e-12, 18329.8071083243
    assert float(median_significance(signal, background)) == pytest.approx(0, abs=1e-13)
