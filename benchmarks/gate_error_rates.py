"""Error rates of the gate: how often it pushes worse models, and refuses equal ones.

Pairs of a candidate and a baseline are drawn from a population whose AUCs are known exactly: per
class, a normal distribution of two logits on a grid. Only the number of events at each point of the
grid is drawn, so the cost does not depend on the number of events. The decision is TFMA's on the
Evaluator's own metrics and thresholds.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow_model_analysis as tfma
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import binom, multivariate_normal, norm
from tensorflow_model_analysis.evaluators.metrics_validator import validate_metrics
from tensorflow_model_analysis.metrics.metric_types import MetricKey

from benchmarks import command_line, data_gate_error_rates, error_rate_figure
from benchmarks.error_rate_figure import Rates
from benchmarks.measurement import Measure, Measurement, Sense
from components.evaluator.eval_config import AucThresholds, eval_config
from components.evaluator.metrics import AucChangeClearBound, AucChangeLowerBound
from components.evaluator.paired_auc import auc_difference, sample_pairs
from components.evaluator.score_counts import auc, count_scores
from formats.evaluation_record import (
    AUC,
    AUC_CHANGE_CLEAR_BOUND,
    AUC_CHANGE_LOWER_BOUND,
    EVENT_COUNT,
)
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
default model on training events of which nine in ten are the same, and of more different models."""

SIGNAL_SHARE, RARE_SHARE = 0.53, 0.1

GOALS = {0: (1.0, "equal"), 1: (0.05, "worse by the drop"), 2: (0.001, "worse by twice the drop")}
"""By times the tolerated drop, the largest share of models that may be pushed, and its name."""


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
            AUC_CHANGE_LOWER_BOUND: _value_of(AucChangeLowerBound(settings.confidence)),
            AUC_CHANGE_CLEAR_BOUND: _value_of(AucChangeClearBound(confidence=settings.confidence)),
        }

    def decide(self, labels: Array, candidate: Any, baseline: Any, weights: Array) -> set[str]:
        """Returns the metrics that fail; a model is pushed if there are none.

        Args:
            labels: 1 for signal and 0 for background, [N].
            candidate: the candidate's scores, [N].
            baseline: the baseline's scores, [N].
            weights: numbers of events with these scores, [N].
        """
        counts = count_scores(labels, candidate, weights)
        signal, background = (
            sample_pairs(candidate[rows], baseline[rows], weights[rows])
            for rows in (labels == 1, labels == 0)
        )
        change = auc_difference(counts, count_scores(labels, baseline, weights), signal, background)
        key = MetricKey(AUC, model_name=tfma.CANDIDATE_KEY)
        difference = key.make_diff_key()
        values = {
            key._replace(name=EVENT_COUNT): weights.sum(),
            key: auc(counts),
            difference: change.value,
            **{difference._replace(name=name): f(change) for name, f in self._bounds.items()},
        }
        result = validate_metrics(((), values), self._config)
        return {
            failure.metric_key.name
            for part in result.metric_validations_per_slice
            for failure in part.failures
        }


def _value_of(metric: Any) -> Callable[[Any], float]:
    return metric.kwargs["value"]


def normal_population(drop: float, correlation: float = RETRAINED) -> Population:
    """Two models with correlated normal logits, of which the candidate's AUC is lower by a drop."""
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


def rare_population(drop: float) -> Population:
    """A candidate that is the baseline, but gives few signal events the lowest score."""
    separation = norm.ppf(BASELINE_AUC) / np.sqrt(2)
    background, signal = (norm.pdf(GRID, sign * separation) for sign in (-1, 1))
    background, signal = background / background.sum(), signal / signal.sum()
    population = np.diag(background), np.diag(signal)
    lost = population[1].copy()
    lost[:] = 0.0
    lost[0] = signal
    share = drop / -true_change((population[0], lost))
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


def error_rates(
    gate: Gate, population: Population, events: int, signal_share: float, *, times: int, pairs: int
) -> Rates:
    """Draws pairs of models on eval splits of a size, and counts the gate's decisions."""
    rng = np.random.default_rng([events, times, round(100 * signal_share)])
    likely = [np.flatnonzero(part > 1e-12) for part in population]
    shares = [
        part.ravel()[cells] / part.ravel()[cells].sum()
        for part, cells in zip(population, likely, strict=True)
    ]
    pushed = undecided = 0
    for _ in range(pairs):
        signal = int(rng.binomial(events, signal_share))
        drawn = [
            rng.multinomial(n, p) for n, p in zip((events - signal, signal), shares, strict=True)
        ]
        cells = np.concatenate([c[n > 0] for c, n in zip(likely, drawn, strict=True)])
        labels = np.repeat([0.0, 1.0], [np.count_nonzero(n) for n in drawn])
        weights = np.concatenate([n[n > 0] for n in drawn]).astype(np.float64)
        first, second = np.divmod(cells, len(GRID))
        failed = gate.decide(labels, SCORES[first], SCORES[second], weights)
        pushed += not failed
        undecided += bool(failed) and failed <= {AUC_CHANGE_LOWER_BOUND, AUC_CHANGE_CLEAR_BOUND}
    return Rates(events, times, pushed, undecided, pairs)


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures the share of models pushed by size and true drop, and draws the figure."""
    pairs = PAIRS // 10 if quick else PAIRS
    gate = Gate(EvaluationConfig())
    found: list[Rates] = []
    redesigned = functools.partial(normal_population, correlation=REDESIGNED)
    for name, population, share in (
        ("", normal_population, SIGNAL_SHARE),
        (", redesigned", redesigned, SIGNAL_SHARE),
        (", on rare events", rare_population, RARE_SHARE),
    ):
        for times, (goal, kind) in GOALS.items():
            distribution = population(times * gate.max_drop)
            for events in SIZES:
                rates = error_rates(gate, distribution, events, share, times=times, pairs=pairs)
                found += [] if name else [rates]
                low, high = rates.interval()
                # A share that is the goal's own exceeds it in half of all simulations.
                limit = float(binom.ppf(0.975, pairs, goal)) / pairs
                yield Measurement(
                    Measure(f"pushed, {kind}{name}, {events:,} events", "", limit, Sense.AT_MOST),
                    (rates.pushed / pairs,),
                    sizes=f"{rates.pushed} of {pairs}, 95 % interval {low:.2%} to {high:.2%}, goal "
                    f"{goal:.1%}; {rates.undecided} undecided",
                )
    if not quick:
        error_rate_figure.draw(found)
    yield from data_gate_error_rates.measure(quick)


if __name__ == "__main__":
    command_line.main(measure)
