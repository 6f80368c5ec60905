"""Error rates of the gate: how often it pushes worse models, and refuses equal ones.

Pairs of a candidate and a baseline are drawn from a population whose AUCs are known exactly: per
class, a normal distribution of two logits on a grid. Only the number of events at each point of the
grid is drawn, so the cost does not depend on the number of events. The decision is TFMA's on the
Evaluator's own metrics and thresholds.

A share too small to be counted is estimated by importance sampling: the pairs are drawn from a
population in which far more are pushed, and each is weighted by the probability of its numbers of
events in the true population, divided by that in the other one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow_model_analysis as tfma
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import binom, multivariate_normal, norm
from tensorflow_model_analysis.evaluators.metrics_validator import validate_metrics
from tensorflow_model_analysis.metrics.metric_types import MetricKey

from benchmarks import command_line, data_gate_error_rates, error_rate_figure
from benchmarks.error_rate_figure import Rates, binomial_interval
from benchmarks.measurement import Measure, Measurement, Sense
from components.evaluator.eval_config import AucThresholds, eval_config
from components.evaluator.metrics import AucChangeClearBound, AucChangeLowerBound
from components.evaluator.paired_auc import AucDifference, auc_difference, sample_pairs
from components.evaluator.score_counts import auc, count_scores
from formats.evaluation_record import (
    AUC,
    AUC_CHANGE_CLEAR_BOUND,
    AUC_CHANGE_LOWER_BOUND,
    EVENT_COUNT,
    Z_95,
)
from formats.gate_metrics import CLEAR_DROP
from pipeline.evaluation_config import EvaluationConfig

Array = npt.NDArray[np.float64]
Population = tuple[Array, Array]
"""Probabilities of background and of signal over the logits of candidate and baseline, [G, G]."""

SIZES = (2_000, 10_000, 50_000, 500_000)
PAIRS = 1000
GRID = np.linspace(-6.0, 6.0, 200)
SCORES = expit(GRID).astype(np.float32)

BASELINE_AUC = 0.848
"""Of the default model on 6,233 real events; its logits are nearly normal within each class, with
skewnesses of -0.4 and 0.1."""

RETRAINED, REDESIGNED = 0.985, 0.95
"""Correlations of the logits of candidate and baseline within a class: of two trainings of the
default model that share nine in ten training events, and of less similar models."""

SIGNAL_SHARE, RARE_SHARE = 0.53, 0.1

LEAST_RARE_DROP = 1e-4
"""The least drop by rare events."""

GOALS = {0: (1.0, "equal"), 1: (0.05, "worse by the drop"), 2: (0.001, "worse by twice the drop")}
"""By times the tolerated drop, the largest share of models that may be pushed, and its name."""

SAMPLED = 2
"""Multiple of the tolerated drop at which too few models are pushed to count them."""

TILT = 0.7
"""How far the true drop of the drawn pairs is on the way to the one at which half are pushed. At 1,
a few pairs with large weights dominate."""


@dataclass(frozen=True)
class Pair:
    """Scores of two models on the same events, at N different points of the grid.

    Attributes:
        labels: 1 for signal and 0 for background, float64 [N].
        candidate: the candidate's scores, float32 [N].
        baseline: the baseline's scores, float32 [N].
        weights: numbers of events with these scores, float64 [N].
    """

    labels: Array
    candidate: npt.NDArray[np.float32]
    baseline: npt.NDArray[np.float32]
    weights: Array

    def change(self) -> AucDifference:
        """Compares the AUCs."""
        signal, background = (
            sample_pairs(self.candidate[rows], self.baseline[rows], self.weights[rows])
            for rows in (self.labels == 1, self.labels == 0)
        )
        candidate, baseline = (
            count_scores(self.labels, scores, self.weights)
            for scores in (self.candidate, self.baseline)
        )
        return auc_difference(candidate, baseline, signal, background)


class Gate:
    """The gate of a configuration, applied to drawn scores."""

    def __init__(self, settings: EvaluationConfig):
        thresholds = AucThresholds(
            lower_bound=settings.auc_lower_bound,
            max_drop=settings.auc_max_drop,
            least_events=settings.least_events,
            confidence=settings.confidence,
            when_undecided=settings.when_undecided,
        )
        self.max_drop = settings.auc_max_drop
        config = eval_config(thresholds)
        gated = [m for m in config.metrics_specs[0].metrics if m.per_slice_thresholds]
        del config.metrics_specs[0].metrics[:], config.slicing_specs[1:]
        config.metrics_specs[0].metrics.extend(gated)
        self._config = tfma.utils.update_eval_config_with_defaults(
            config, has_baseline=True, rubber_stamp=False
        )
        self._bounds = {
            AUC_CHANGE_LOWER_BOUND: AucChangeLowerBound(confidence=settings.confidence).value,
            AUC_CHANGE_CLEAR_BOUND: AucChangeClearBound(confidence=settings.confidence).value,
        }

    def decide(self, pair: Pair) -> set[str]:
        """Returns the metrics that fail; a model is pushed if there are none."""
        change = pair.change()
        key = MetricKey(AUC, model_name=tfma.CANDIDATE_KEY)
        difference = key.make_diff_key()
        values = {
            key._replace(name=EVENT_COUNT): pair.weights.sum(),
            key: auc(count_scores(pair.labels, pair.candidate, pair.weights)),
            difference: change.value,
            **{difference._replace(name=name): f(change) for name, f in self._bounds.items()},
        }
        result = validate_metrics(((), values), self._config)
        return {
            failure.metric_key.name
            for part in result.metric_validations_per_slice
            for failure in part.failures
        }

    def least_change(self, pair: Pair) -> float:
        """The smallest measured change that passes, if its error is that of a pair."""
        change = pair.change()
        slack = (change.value - bound(change) for bound in self._bounds.values())
        return max(-self.max_drop + next(slack), -CLEAR_DROP * self.max_drop + next(slack))


def normal_population(drop: float, correlation: float = RETRAINED) -> Population:
    """Two models with correlated normal logits; the candidate's AUC is lower by a drop."""
    points = np.stack(np.meshgrid(GRID, GRID, indexing="ij"), axis=-1)
    separation = np.sqrt(2) * norm.ppf(BASELINE_AUC)
    covariance = [[1.0, correlation], [correlation, 1.0]]

    def with_separation(candidate: float) -> Population:
        densities = (
            multivariate_normal([sign * candidate, sign * separation / 2], covariance).pdf(points)
            for sign in (-1, 1)
        )
        background, signal = (density / density.sum() for density in densities)
        return background, signal

    def excess(candidate: float) -> float:
        return true_change(with_separation(candidate)) + drop

    same = separation / 2
    return with_separation(brentq(excess, same - 0.2, same + 0.2) if drop else same)


def redesigned_population(drop: float) -> Population:
    """The same with a smaller correlation."""
    return normal_population(drop, REDESIGNED)


def rare_population(drop: float) -> Population:
    """A candidate that is the baseline, but gives few signal events the lowest score."""
    separation = norm.ppf(BASELINE_AUC) / np.sqrt(2)
    background, signal = (norm.pdf(GRID, sign * separation) for sign in (-1, 1))
    background, signal = background / background.sum(), signal / signal.sum()
    population = np.diag(background), np.diag(signal)
    lost = population[1].copy()
    lost[:] = 0.0
    lost[0] = signal
    # Never zero, so that any number of lost events can be drawn.
    share = max(drop, LEAST_RARE_DROP) / -true_change((population[0], lost))
    return population[0], (1 - share) * population[1] + share * lost


def true_change(population: Population) -> float:
    """Computes the candidate's AUC minus the baseline's; equal scores count half."""
    candidate, baseline = (
        signal @ (np.cumsum(background) - background / 2)
        for background, signal in (
            tuple(part.sum(axis=axis) for part in population) for axis in (1, 0)
        )
    )
    return float(candidate - baseline)


class EvalSplits:
    """Draws pairs of models on eval splits of a size from a population."""

    def __init__(self, population: Population, events: int, signal_share: float):
        self.events = events
        self._signal_share = signal_share
        self._likely = [np.flatnonzero(part > 1e-12) for part in population]
        self._shares = [
            part.ravel()[cells] / part.ravel()[cells].sum()
            for part, cells in zip(population, self._likely, strict=True)
        ]

    def generator(self, times: int) -> np.random.Generator:
        """The random numbers of pairs that are worse by so many times the tolerated drop."""
        return np.random.default_rng([self.events, times, round(100 * self._signal_share)])

    def draw(self, rng: np.random.Generator) -> tuple[Pair, list[Array]]:
        """Draws a pair.

        Returns:
            The pair, and its numbers of background and of signal events by cell of the grid,
            float64 [G * G] each.
        """
        signal = int(rng.binomial(self.events, self._signal_share))
        numbers = []
        for cells, shares, events in zip(
            self._likely, self._shares, (self.events - signal, signal), strict=True
        ):
            drawn = np.zeros(len(GRID) ** 2)
            drawn[cells] = rng.multinomial(events, shares)
            numbers.append(drawn)
        filled = [np.flatnonzero(drawn) for drawn in numbers]
        first, second = np.divmod(np.concatenate(filled), len(GRID))
        labels = np.repeat([0.0, 1.0], [len(cells) for cells in filled])
        weights = np.concatenate([n[cells] for n, cells in zip(numbers, filled, strict=True)])
        return Pair(labels, SCORES[first], SCORES[second], weights), numbers

    def log_probability(self, numbers: Sequence[Array]) -> float:
        """The logarithm of the probability of the numbers of events by cell, but for a constant."""
        total = 0.0
        for cells, shares, drawn in zip(self._likely, self._shares, numbers, strict=True):
            if drawn[cells].sum() < drawn.sum():
                return -np.inf
            total += float(drawn[cells] @ np.log(shares))
        return total


def counted_rates(gate: Gate, splits: EvalSplits, *, times: int, pairs: int) -> Rates:
    """Draws pairs of models, and counts the gate's decisions."""
    rng = splits.generator(times)
    failures = [gate.decide(splits.draw(rng)[0]) for _ in range(pairs)]
    pushed = sum(not failed for failed in failures)
    bounds = {AUC_CHANGE_LOWER_BOUND, AUC_CHANGE_CLEAR_BOUND}
    undecided = sum(bool(failed) and failed <= bounds for failed in failures)
    interval = binomial_interval(pushed, pairs)
    return Rates(splits.events, times, pushed / pairs, interval, undecided / pairs)


def sampled_rates(
    gate: Gate, splits: EvalSplits, proposal: EvalSplits, *, times: int, pairs: int
) -> Rates:
    """Draws pairs from a proposal, and estimates the share that is pushed among those of splits.

    The interval is the normal one of a mean.
    """
    rng = splits.generator(times)
    values = np.zeros(pairs)
    for place in range(pairs):
        pair, numbers = proposal.draw(rng)
        if not gate.decide(pair):
            ratio = splits.log_probability(numbers) - proposal.log_probability(numbers)
            values[place] = np.exp(ratio)
    share, error = values.mean(), Z_95 * values.std() / np.sqrt(pairs)
    interval = max(0.0, share - error), share + error
    return Rates(splits.events, times, float(share), interval, np.nan)


def proposed_drop(gate: Gate, splits: EvalSplits) -> float:
    """The true drop of a population in which about half of the pairs are pushed."""
    pair, _ = splits.draw(np.random.default_rng(0))
    return -gate.least_change(pair)


def error_rates(
    gate: Gate,
    population: Callable[[float], Population],
    events: int,
    signal_share: float,
    *,
    times: int,
    pairs: int,
) -> Rates:
    """Estimates the gate's decisions on models that are worse by a multiple of the drop."""
    drop = times * gate.max_drop
    splits = EvalSplits(population(drop), events, signal_share)
    if times < SAMPLED:
        return counted_rates(gate, splits, times=times, pairs=pairs)
    likely_drop = drop + TILT * (proposed_drop(gate, splits) - drop)
    proposal = EvalSplits(population(likely_drop), events, signal_share)
    return sampled_rates(gate, splits, proposal, times=times, pairs=pairs)


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures the share of models pushed by size and true drop, and draws the figure."""
    pairs = PAIRS // 10 if quick else PAIRS
    gate = Gate(EvaluationConfig())
    found: list[Rates] = []
    for name, population, share in (
        ("", normal_population, SIGNAL_SHARE),
        (", redesigned", redesigned_population, SIGNAL_SHARE),
        (", on rare events", rare_population, RARE_SHARE),
    ):
        for times, (goal, kind) in GOALS.items():
            for events in SIZES:
                rates = error_rates(gate, population, events, share, times=times, pairs=pairs)
                found += [] if name else [rates]
                # A share equal to the goal exceeds it in half of all simulations.
                limit = goal if times == SAMPLED else float(binom.ppf(0.975, pairs, goal)) / pairs
                yield Measurement(
                    Measure(f"pushed, {kind}{name}, {events:,} events", "", limit, Sense.AT_MOST),
                    (rates.pushed,),
                    sizes=_describe(rates, pairs, goal),
                )
    if not quick:
        error_rate_figure.draw(found)
    yield from data_gate_error_rates.measure(quick)


def _describe(rates: Rates, pairs: int, goal: float) -> str:
    low, high = rates.interval
    if np.isnan(rates.undecided):
        method = f"importance sampling of {pairs} pairs"
    else:
        method = f"{pairs} pairs, {rates.undecided:.1%} undecided"
    return f"95 % interval {low:.2g} to {high:.2g}, goal {goal:g}; {method}"


if __name__ == "__main__":
    command_line.main(measure)
