"""An evaluation, read from TFMA's own output files through its public loaders."""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma

from components.report.significance import Z_95, Array, auc_standard_error

AUC = "auc"
"""The metric that gates; its name in TFMA's results."""

EVENTS = "example_count"

OVERALL = "all events"
"""What the slice that holds every event is called."""

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

    def passing(self) -> tuple[Array, Array]:
        """Signal and background with a score of at least k / N, for k from 0 to N: [N + 1]."""
        signal, background = (
            np.append(np.cumsum(counts[::-1])[::-1], 0.0)
            for counts in (self.signal, self.background)
        )
        return signal, background

    def rebinned(self, bins: int) -> "Scores":
        """The same in fewer bins; ``bins`` divides N."""
        return Scores(
            *(
                counts.reshape(bins, -1).sum(axis=1)
                for counts in (self.signal, self.background, self.score_sum)
            )
        )


@dataclass(frozen=True)
class Measured:
    """What was measured on one slice of the events.

    Attributes:
      name: the slice, such as ``n_b_tags = 2``, or ``OVERALL``.
      metrics: TFMA's values by name.
      scores: the events by score.
    """

    name: str
    metrics: Mapping[str, float]
    scores: Scores

    @property
    def events(self) -> int:
        """Number of events."""
        return int(self.metrics[EVENTS])

    @property
    def is_small(self) -> bool:
        """Whether there are too few events to tell models apart by."""
        return self.events < SMALL_SLICE

    @functools.cached_property
    def auc_interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the AUC, within [0, 1]."""
        error = Z_95 * auc_standard_error(self.scores.signal, self.scores.background)
        auc = self.metrics[AUC]
        return max(0.0, auc - error), min(1.0, auc + error)


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


def read_evaluation(folder: str) -> Evaluation:
    """Reads an evaluation artifact's folder."""
    metrics = _by_model_and_slice(tfma.load_metrics(folder), "metric_keys_and_values")
    plots = _by_model_and_slice(tfma.load_plots(folder), "plot_keys_and_values")
    models = {model: _model(metrics[model], plots[model]) for model in metrics}
    return Evaluation(
        # A model that is evaluated alone has no name.
        candidate=models.get(tfma.CANDIDATE_KEY) or models[""],
        baseline=models.get(tfma.BASELINE_KEY),
    )


def _by_model_and_slice(results: Iterator[Any], field: str) -> dict[str, dict[str, list[Any]]]:
    """The entries of TFMA's protos by model and slice; differences of models are left out."""
    found: dict[str, dict[str, list[Any]]] = {}
    for result in results:
        name = _slice_name(result.slice_key)
        for entry in getattr(result, field):
            if not getattr(entry.key, "is_diff", False):
                found.setdefault(entry.key.model_name, {}).setdefault(name, []).append(entry)
    return found


def _model(metrics: dict[str, list[Any]], plots: dict[str, list[Any]]) -> ModelEvaluation:
    measured = {
        name: Measured(
            name,
            {entry.key.name: entry.value.double_value.value for entry in entries},
            _scores(plots[name]),
        )
        for name, entries in metrics.items()
    }
    overall = measured.pop(OVERALL)
    return ModelEvaluation(overall, tuple(measured[name] for name in sorted(measured)))


def _slice_name(key: Any) -> str:
    parts = (f"{part.column} = {_slice_value(part)}" for part in key.single_slice_keys)
    return ", ".join(parts) or OVERALL


def _slice_value(part: Any) -> str:
    value = getattr(part, part.WhichOneof("kind"))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _scores(plots: list[Any]) -> Scores:
    buckets = next(
        entry.value.calibration_histogram_buckets.buckets
        for entry in plots
        if entry.value.HasField("calibration_histogram_buckets")
    )
    rows = [
        (
            bucket.total_weighted_label.value,
            bucket.num_weighted_examples.value,
            bucket.total_weighted_refined_prediction.value,
        )
        for bucket in buckets
    ]
    signal, events, score_sum = np.array(rows, np.float64).T
    return Scores(*(_within(counts) for counts in (signal, events - signal, score_sum)))


def _within(counts: Array) -> Array:
    """Bins of [0, 1] from TFMA's, which has one below 0 more and one from 1 on."""
    inside = counts[1:-1].copy()
    inside[0] += counts[0]
    inside[-1] += counts[-1]
    return inside
