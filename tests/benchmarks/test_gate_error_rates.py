import numpy as np
import pytest
from scipy.stats import norm

from benchmarks.error_rate_figure import LINES, Rates, binomial_interval, draw
from benchmarks.gate_error_rates import (
    BASELINE_AUC,
    GOALS,
    EvalSplits,
    Gate,
    Pair,
    error_rates,
    normal_population,
    proposed_drop,
    rare_population,
    redesigned_population,
    sampled_rates,
    true_change,
)
from pipeline.evaluation_config import EvaluationConfig


@pytest.mark.parametrize("population", [normal_population, rare_population])
@pytest.mark.parametrize("drop", [0.002, 0.004])
def test_candidate_of_a_population_is_worse_by_the_drop(population, drop):
    found = population(drop)
    assert true_change(found) == pytest.approx(-drop, abs=1e-9)
    assert [part.sum() for part in found] == pytest.approx([1, 1])


@pytest.mark.slow
def test_gate_is_that_of_the_configuration():
    rng = np.random.default_rng(1)
    labels = np.repeat([0.0, 1.0], 20_000)
    baseline = np.float32(norm.cdf(rng.normal(np.sqrt(2) * norm.ppf(BASELINE_AUC) * labels)))
    weights = np.ones(len(labels))
    gate = Gate(EvaluationConfig())
    assert gate.decide(Pair(labels, baseline, baseline, weights)) == set()
    worse = np.float32(np.where(rng.random(len(labels)) < 0.05, 0.5, baseline))
    bounds = {"auc_change_lower_bound", "auc_change_clear_lower_bound"}
    pair = Pair(labels, worse, baseline, weights)
    assert gate.decide(pair) == {"auc", *bounds}
    strict = Gate(EvaluationConfig(auc_lower_bound=0.9, auc_max_drop=1))
    assert strict.decide(pair) == {"auc"}


def test_decisions_are_counted():
    gate = Gate(EvaluationConfig())
    rates = error_rates(gate, normal_population, 2000, 0.5, times=1, pairs=10)
    assert (rates.events, rates.times, rates.pushed) == (2000, 1, 0)
    assert 0 <= rates.undecided < 1
    assert binomial_interval(50, 1000) == pytest.approx((0.0373, 0.0654), abs=1e-4)
    assert binomial_interval(0, 1000) == pytest.approx((0, 0.00368), abs=1e-5)


@pytest.mark.slow
def test_rare_decisions_have_their_known_probability():
    class Gate:
        """Pushes a model that has lost no event."""

        def decide(self, pair):
            return {"lost"} if (pair.candidate < pair.baseline).any() else set()

    population, events = rare_population(0.02), 2000
    lost = population[1] - np.diag(np.diag(population[1]))
    known = (1 - 0.5 * lost.sum()) ** events
    assert known < 1e-9
    splits, proposal = (EvalSplits(p, events, 0.5) for p in (population, rare_population(0.001)))
    rates = sampled_rates(Gate(), splits, proposal, times=2, pairs=300)
    low, high = rates.interval
    assert low < known < high
    assert rates.pushed == pytest.approx(known, rel=0.3)


@pytest.mark.slow
def test_about_half_of_the_proposed_pairs_are_pushed():
    gate = Gate(EvaluationConfig())
    splits = EvalSplits(redesigned_population(0.004), 10_000, 0.5)
    drop = proposed_drop(gate, splits)
    proposal = EvalSplits(redesigned_population(drop), 10_000, 0.5)
    rng = np.random.default_rng(1)
    pushed = [not gate.decide(proposal.draw(rng)[0]) for _ in range(40)]
    assert 0.2 < np.mean(pushed) < 0.8


@pytest.mark.slow
def test_figure_has_a_line_for_each_goal(tmp_path):
    rates = [Rates(n, times, 0.05, (0.02, 0.1), 0.0) for times in GOALS for n in (1000, 10_000)]
    draw(rates, tmp_path / "images" / "figure.svg")
    assert LINES.keys() == GOALS.keys()
    assert (tmp_path / "images" / "figure.svg").read_text().startswith("<?xml")
