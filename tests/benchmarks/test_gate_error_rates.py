import numpy as np
import pytest
from scipy.stats import norm

from benchmarks.error_rate_figure import LINES, Rates, draw
from benchmarks.gate_error_rates import (
    BASELINE_AUC,
    GOALS,
    Gate,
    error_rates,
    normal_population,
    rare_population,
    true_change,
)
from pipeline.evaluation_config import EvaluationConfig


@pytest.mark.parametrize("population", [normal_population, rare_population])
@pytest.mark.parametrize("drop", [0.002, 0.004])
def test_candidate_of_a_population_is_worse_by_the_drop(population, drop):
    found = population(drop)
    assert true_change(found) == pytest.approx(-drop, abs=1e-9)
    assert [part.sum() for part in found] == pytest.approx([1, 1])


def test_gate_is_that_of_the_configuration():
    rng = np.random.default_rng(1)
    labels = np.repeat([0.0, 1.0], 20_000)
    baseline = np.float32(norm.cdf(rng.normal(np.sqrt(2) * norm.ppf(BASELINE_AUC) * labels)))
    weights = np.ones(len(labels))
    gate = Gate(EvaluationConfig())
    assert gate.decide(labels, baseline, baseline, weights) == set()
    worse = np.float32(np.where(rng.random(len(labels)) < 0.05, 0.5, baseline))
    bounds = {"auc_change_lower_bound", "auc_change_clear_lower_bound"}
    assert gate.decide(labels, worse, baseline, weights) == {"auc", *bounds}
    strict = Gate(EvaluationConfig(auc_lower_bound=0.9, auc_max_drop=1))
    assert strict.decide(labels, worse, baseline, weights) == {"auc"}


def test_decisions_are_counted():
    gate = Gate(EvaluationConfig())
    rates = error_rates(gate, normal_population(0.004), 2000, 0.5, times=2, pairs=10)
    assert (rates.pushed, rates.pairs) == (0, 10)
    assert 0 <= rates.undecided < 10
    assert Rates(1, 1, 50, 0, 1000).interval() == pytest.approx((0.0373, 0.0654), abs=1e-4)
    assert Rates(1, 1, 0, 0, 1000).interval() == pytest.approx((0, 0.00368), abs=1e-5)


def test_figure_has_a_line_for_each_goal(tmp_path):
    rates = [Rates(n, times, 5, 0, 100) for times in GOALS for n in (1000, 10_000)]
    draw(rates, tmp_path / "images" / "figure.svg")
    assert LINES.keys() == GOALS.keys()
    assert (tmp_path / "images" / "figure.svg").read_text().startswith("<?xml")
