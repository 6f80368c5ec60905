"""An evaluation, read from TFMA's own output files through its public loaders."""

import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma

from components.evaluator.significance import Z_95, Array, auc_standard_error

AUC = "auc"
"""The metric that gates; its name in TFMA's results."""

EVENTS = "example_count"

OVERALL = "all events"
"""What the slice that holds every event is called."""

DRAWN_BINS = 100
"""Figures join bins of the score to as many as divide this number."""

SMALL_SLICE = 1000
"""Events below which a slice's AUC is marked as uncertain: at a half of signal and an AUC of 0.8
its 95 % interval is then 0.05 wide."""


@dataclass(frozen=True)
class Scores:
    """Events counted by score.

    Attributes:
      signal: signal events in each of N equal bins of the score in [0, 1].
      background: the same.
      score_sum: the sum of the scores in each bin.
    """

    signal: Array
    background: Array
    score_sum: Array

    @property
    def has_events(self) -> bool:
        """Whether any event was counted."""
        return bool(self.signal.any() or self.background.any())

    @property
    def has_both_classes(self) -> bool:
        """Whether signal and background were counted."""
        return bool(self.signal.any() and self.background.any())

    @property
    def signal_share(self) -> float:
        """The share of signal among the events; NaN without any."""
        signal, background = float(self.signal.sum()), float(self.background.sum())
        return signal / (signal + background) if self.has_events else math.nan

    def passing(self) -> tuple[Array, Array]:
        """Signal and background with a score of at least k / N, for k from 0 to N: [N + 1]."""
        signal, background = (
            np.append(np.cumsum(counts[::-1])[::-1], 0.0)
            for counts in (self.signal, self.background)
        )
        return signal, background

    def rebinned(self, bins: int) -> "Scores":
        """The same in fewer bins; ``bins`` divides N, as all divisors of ``DRAWN_BINS`` do."""
        return Scores(
            *(
                counts.reshape(bins, -1).sum(axis=1)
                for counts in (self.signal, self.background, self.score_sum)
            )
        )


NO_SCORES = Scores(*np.zeros((3, 1)))
"""Of events whose scores are not known."""


@dataclass(frozen=True)
class Measured:
    """What was measured on one slice of the events.

    Attributes:
      name: the slice, such as ``n_b_tags = 2``, or ``OVERALL``.
      metrics: TFMA's values by name; what was not measured is not there.
      scores: the events by score, or ``NO_SCORES``.
    """

    name: str
    metrics: Mapping[str, float]
    scores: Scores

    @property
    def auc(self) -> float:
        """The AUC; NaN where it was not measured, as with one class alone."""
        return self.metrics.get(AUC, math.nan)

    @property
    def events(self) -> int | None:
        """Number of events; None where they were not counted."""
        events = self.metrics.get(EVENTS, math.nan)
        return int(events) if math.isfinite(events) else None

    @property
    def is_small(self) -> bool:
        """Whether there are too few events to tell models apart by."""
        return self.events is not None and self.events < SMALL_SLICE

    @functools.cached_property
    def auc_interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the AUC, within [0, 1]; NaN where there is none.

        That is where an event of a class is lacking, or where the scores keep the classes apart, or
        are all one: no event is out of its place then, and the estimated error of 0 says nothing.
        """
        error = Z_95 * auc_standard_error(self.scores.signal, self.scores.background)
        if math.isnan(self.auc) or not error > 0:
            return math.nan, math.nan
        return max(0.0, self.auc - error), min(1.0, self.auc + error)


@dataclass(frozen=True)
class ModelEvaluation:
    """One model's evaluation: on all events, and by slice."""

    overall: Measured
    slices: tuple[Measured, ...]


@dataclass(frozen=True)
class Evaluation:
    """A candidate's evaluation, and the baseline's on the same events if there was one."""

    candidate: ModelEvaluation
    baseline: ModelEvaluation | None


# Each by model, then by slice.
Metrics = Mapping[str, Mapping[str, Mapping[str, float]]]
ScoresOfAll = Mapping[str, Mapping[str, Scores]]


def read_metrics(folder: str) -> Metrics:
    """Reads the metrics of every model and slice in an evaluation artifact's folder.

    Raises:
      ValueError: there are none.
    """
    found = _by_model_and_slice(tfma.load_metrics(folder), "metric_keys_and_values")
    if not found:
        raise ValueError(f"no metrics in {folder}")
    return {
        model: {name: dict(_values(entries)) for name, entries in slices.items()}
        for model, slices in found.items()
    }


def read_scores(folder: str) -> ScoresOfAll:
    """Reads the events by score of every model and slice in an evaluation artifact's folder.

    Raises:
      ValueError: there are none, or what is there is no count of events; the message names the
        slice.
    """
    found = _by_model_and_slice(tfma.load_plots(folder), "plot_keys_and_values")
    if not found:
        raise ValueError(f"no counts of events by score in {folder}")
    return {
        model: {name: _scores(name, entries) for name, entries in slices.items()}
        for model, slices in found.items()
    }


def describe_evaluation(metrics: Metrics, scores: ScoresOfAll) -> Evaluation:
    """An evaluation, from what is known of it.

    Args:
      metrics: as ``read_metrics`` gives them.
      scores: as ``read_scores`` gives them; any may be missing.

    Raises:
      ValueError: no candidate was evaluated, or not on all events.
    """
    models = {model: _model(slices, scores.get(model, {})) for model, slices in metrics.items()}
    # A model that is evaluated alone has no name.
    candidate = models.get(tfma.CANDIDATE_KEY) or models.get("")
    if candidate is None:
        raise ValueError(f"no candidate was evaluated, but {', '.join(map(repr, models))}")
    return Evaluation(candidate, models.get(tfma.BASELINE_KEY))


def _by_model_and_slice(results: Iterator[Any], field: str) -> dict[str, dict[str, list[Any]]]:
    """The entries of TFMA's protos by model and slice; differences of models are left out."""
    found: dict[str, dict[str, list[Any]]] = {}
    for result in results:
        name = _slice_name(result.slice_key)
        for entry in getattr(result, field):
            if not getattr(entry.key, "is_diff", False):
                found.setdefault(entry.key.model_name, {}).setdefault(name, []).append(entry)
    return found


def _values(entries: list[Any]) -> Iterator[tuple[str, float]]:
    """The metrics that are one number; TFMA keeps a failure, for one, as text."""
    for entry in entries:
        if entry.value.HasField("double_value"):
            yield entry.key.name, entry.value.double_value.value


def _model(
    slices: Mapping[str, Mapping[str, float]], scores: Mapping[str, Scores]
) -> ModelEvaluation:
    measured = {
        name: Measured(name, metrics, scores.get(name, NO_SCORES))
        for name, metrics in slices.items()
    }
    if OVERALL not in measured:
        raise ValueError(f"no slice of {OVERALL}, only {', '.join(sorted(measured))}")
    overall = measured.pop(OVERALL)
    return ModelEvaluation(overall, tuple(measured[name] for name in sorted(measured)))


def _slice_name(key: Any) -> str:
    parts = (f"{part.column} = {_slice_value(part)}" for part in key.single_slice_keys)
    return ", ".join(parts) or OVERALL


def _slice_value(part: Any) -> str:
    value = getattr(part, part.WhichOneof("kind"))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _scores(name: str, plots: list[Any]) -> Scores:
    buckets = next(
        (
            entry.value.calibration_histogram_buckets.buckets
            for entry in plots
            if entry.value.HasField("calibration_histogram_buckets")
        ),
        (),
    )
    bins = len(buckets) - 2
    if bins < 1 or bins % DRAWN_BINS:
        raise ValueError(f"{name}: {max(bins, 0)} bins of the score, no multiple of {DRAWN_BINS}")
    rows = [
        (
            bucket.total_weighted_label.value,
            bucket.num_weighted_examples.value,
            bucket.total_weighted_refined_prediction.value,
        )
        for bucket in buckets
    ]
    counts = np.array(rows, np.float64).T
    if not np.isfinite(counts).all():
        raise ValueError(f"{name}: not every count of events by score is finite")
    signal, events, score_sum = counts
    return Scores(*(_within(counts) for counts in (signal, events - signal, score_sum)))


def _within(counts: Array) -> Array:
    """Bins of [0, 1] from TFMA's, which has one below 0 more and one from 1 on."""
    inside = counts[1:-1].copy()
    inside[0] += counts[0]
    inside[-1] += counts[-1]
    return inside
