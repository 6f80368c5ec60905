"""An evaluation: metrics and score histograms by model and slice, read from TFMA's output files."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow_model_analysis as tfma

from formats import gate_metrics

AUC = gate_metrics.AUC
"""The metric of the gates that always exist; its name in TFMA's results."""

EVENT_COUNT = "example_count"
"""The metric that counts events; its name in TFMA's results."""

SIGNAL_COUNT = "signal_count"
"""The metric that counts signal events; its name in TFMA's results."""

AUC_STANDARD_ERROR = "auc_standard_error"
"""The metric that estimates the standard error of the AUC; its name in TFMA's results."""

AUC_CHANGE_ERROR = "auc_change_standard_error"
"""The metric that estimates the standard error of the AUC's difference from the baseline's."""

AUC_CHANGE_LOWER_BOUND = "auc_change_lower_bound"
"""The metric that is a lower bound of the AUC's difference from the baseline's; a gate compares it
with the tolerated drop."""

AUC_CHANGE_CLEAR_BOUND = "auc_change_clear_lower_bound"
"""The same with a higher confidence; a gate compares it with twice the tolerated drop."""

OVERALL = "all events"
"""Name of the slice that holds every event."""

DRAWN_BINS = 100
"""Figures merge the bins of the score into a number of bins that divides this one."""

SMALL_SLICE = 1000
"""Number of events below which a slice's AUC is marked as uncertain: with equal classes and an AUC
of 0.8 its 95 % interval is then 0.05 wide."""

Z_95 = 1.959964
"""The 97.5 % quantile of the normal distribution."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ScoreCuts:
    """Events that pass cuts on the score.

    Attributes:
        thresholds: the smallest score that passes each of K cuts, ascending, float64 [K].
        signal: number of signal events that pass.
        background: number of background events that pass; at the first cut, all pass.
    """

    thresholds: Array
    signal: Array
    background: Array


@dataclass(frozen=True)
class ScoreHistogram:
    """Events by score.

    Attributes:
        signal: number of signal events in each of N equal bins of the score in [0, 1].
        background: number of background events in each bin.
        score_sum: sum of the scores in each bin.
        cuts: the events that pass cuts, which are dense where the scores are.
    """

    signal: Array
    background: Array
    score_sum: Array
    cuts: ScoreCuts

    @property
    def has_events(self) -> bool:
        """Returns whether any event was counted."""
        return bool(self.signal.any() or self.background.any())

    @property
    def has_both_classes(self) -> bool:
        """Returns whether events of both classes were counted."""
        return bool(self.signal.any() and self.background.any())

    @property
    def signal_share(self) -> float:
        """The share of signal among the events; NaN without events."""
        signal, background = float(self.signal.sum()), float(self.background.sum())
        return signal / (signal + background) if self.has_events else math.nan

    def rebinned(self, bins: int) -> "ScoreHistogram":
        """Merges bins; ``bins`` must divide N, as every divisor of ``DRAWN_BINS`` does.

        >>> counts = np.array([1.0, 2.0, 3.0, 4.0])
        >>> ScoreHistogram(counts, counts, counts, NO_CUTS).rebinned(2).signal.tolist()
        [3.0, 7.0]
        """

        def merged(counts: Array) -> Array:
            return counts.reshape(bins, -1).sum(axis=1)

        return ScoreHistogram(
            merged(self.signal), merged(self.background), merged(self.score_sum), self.cuts
        )


NO_CUTS = ScoreCuts(np.zeros(1), np.zeros(1), np.zeros(1))
"""Cuts on events whose scores are not known."""

NO_SCORES = ScoreHistogram(np.zeros(1), np.zeros(1), np.zeros(1), NO_CUTS)
"""Histogram of events whose scores are not known."""


@dataclass(frozen=True)
class SliceEvaluation:
    """The evaluation of one model on one slice.

    Attributes:
        name: the slice, such as ``column = value``, or ``OVERALL``.
        metrics: TFMA's values by name; metrics that were not measured are absent.
        scores: the events by score, or ``NO_SCORES``.
    """

    name: str
    metrics: Mapping[str, float]
    scores: ScoreHistogram

    @property
    def auc(self) -> float:
        """The AUC; NaN if it is undefined or was not measured."""
        return self.metrics.get(AUC, math.nan)

    @property
    def auc_fault(self) -> str:
        """Why the AUC is undefined; empty if it is defined.

        >>> metrics = {AUC: math.nan, EVENT_COUNT: 5.0, SIGNAL_COUNT: 0.0}
        >>> SliceEvaluation(OVERALL, metrics, NO_SCORES).auc_fault
        'all 5 events are background'
        """
        if math.isfinite(self.auc):
            return ""
        if AUC not in self.metrics:
            return "it was not measured"
        signal, events = self.metrics.get(SIGNAL_COUNT), self.events
        if not events:
            return "there are no events"
        if signal in (0, events):
            subject = "the only event is" if events == 1 else f"all {events:,} events are"
            return f"{subject} {'signal' if signal else 'background'}"
        return "some scores are not numbers, or too many are too close to each other to be ordered"

    @property
    def events(self) -> int | None:
        """Number of events; None if they were not counted."""
        events = self.metrics.get(EVENT_COUNT, math.nan)
        return int(events) if math.isfinite(events) else None

    @property
    def is_small(self) -> bool:
        """Returns whether there are too few events to compare models."""
        return self.events is not None and self.events < SMALL_SLICE

    @property
    def auc_interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the AUC, within [0, 1]; NaN if it is undefined.

        It is undefined if a class has fewer than two events, if the scores separate the classes
        completely, or if all scores are equal: the estimated error is then 0, which is meaningless.
        """
        error = Z_95 * self.metrics.get(AUC_STANDARD_ERROR, math.nan)
        if math.isnan(self.auc) or not error > 0:
            return math.nan, math.nan
        return max(0.0, self.auc - error), min(1.0, self.auc + error)

    def interval(self, metric: str) -> tuple[float, float]:
        """Computes the 95 % confidence interval of a metric; NaN if it is undefined.

        That of the AUC is ``auc_interval``, that of the accuracy Wilson's (1927, Journal of the
        American Statistical Association 22, 209). The others follow from their standard errors:
        that of the background rejection on a logarithmic scale, because it is an inverse.
        """
        value = self.metrics.get(metric, math.nan)
        if metric == AUC:
            return self.auc_interval
        if metric == gate_metrics.ACCURACY:
            return _wilson(value, self.events or 0)
        error = Z_95 * self.metrics.get(gate_metrics.error_of(metric), math.nan)
        if not (math.isfinite(value) and error > 0):
            return math.nan, math.nan
        if metric.startswith(gate_metrics.REJECTION):
            factor = math.exp(error / value)
            return value / factor, value * factor
        return max(0.0, value - error), value + error


def _wilson(share: float, events: int) -> tuple[float, float]:
    """The 95 % interval of a binomial share; NaN if it is undefined."""
    if math.isnan(share) or not events:
        return math.nan, math.nan
    weight = Z_95**2 / events
    centre = (share + weight / 2) / (1 + weight)
    distance = math.sqrt(share * (1 - share) * weight + weight**2 / 4) / (1 + weight)
    return centre - distance, centre + distance


@dataclass(frozen=True)
class ModelEvaluation:
    """One model's evaluation: on all events, and by slice."""

    overall: SliceEvaluation
    slices: tuple[SliceEvaluation, ...]


@dataclass(frozen=True)
class Evaluation:
    """A candidate's evaluation, and the baseline's on the same events if there was one."""

    candidate: ModelEvaluation
    baseline: ModelEvaluation | None


Metrics = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Metrics by model and slice."""

ScoreHistograms = Mapping[str, Mapping[str, ScoreHistogram]]
"""Score histograms by model and slice."""


def read_metrics(folder: str) -> Metrics:
    """Reads the metrics of every model and slice in an evaluation artifact's folder.

    Raises:
        ValueError: there are none.
    """
    entries = _by_model_and_slice(tfma.load_metrics(folder), "metric_keys_and_values")
    if not entries:
        raise ValueError(f"no metrics in {folder}, because no event was evaluated")
    return {
        model: {name: dict(_values(metrics)) for name, metrics in slices.items()}
        for model, slices in entries.items()
    }


def read_changes(folder: str) -> Mapping[str, Mapping[str, float]]:
    """Reads the candidate's differences from the baseline, by slice; empty without a baseline."""
    return {
        _slice_name(result.slice_key): dict(
            _values([entry for entry in result.metric_keys_and_values if entry.key.is_diff])
        )
        for result in tfma.load_metrics(folder)
    }


def read_scores(folder: str) -> ScoreHistograms:
    """Reads the score histograms of every model on all events, from an evaluation's folder.

    Raises:
        ValueError: there are none, or one is not valid; the message names the slice.
    """
    entries = _by_model_and_slice(tfma.load_plots(folder), "plot_keys_and_values")
    if not entries:
        raise ValueError(f"no counts of events by score in {folder}")
    return {
        model: {OVERALL: _score_histogram(OVERALL, slices[OVERALL])}
        for model, slices in entries.items()
        if OVERALL in slices
    }


def join_evaluation(metrics: Metrics, scores: ScoreHistograms) -> Evaluation:
    """Joins metrics and score histograms.

    Args:
        metrics: from ``read_metrics``.
        scores: from ``read_scores``; any may be missing.

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
    """Groups the entries of TFMA's protos; differences between models are left out."""
    entries: dict[str, dict[str, list[Any]]] = {}
    for result in results:
        name = _slice_name(result.slice_key)
        for entry in getattr(result, field):
            if not getattr(entry.key, "is_diff", False):
                entries.setdefault(entry.key.model_name, {}).setdefault(name, []).append(entry)
    return entries


def _values(entries: list[Any]) -> Iterator[tuple[str, float]]:
    """Yields the metrics that are one number; TFMA stores a failure, for example, as text."""
    for entry in entries:
        if entry.value.HasField("double_value"):
            yield entry.key.name, entry.value.double_value.value


def _model(
    metrics_by_slice: Mapping[str, Mapping[str, float]], scores: Mapping[str, ScoreHistogram]
) -> ModelEvaluation:
    slices = {
        name: SliceEvaluation(name, metrics, scores.get(name, NO_SCORES))
        for name, metrics in metrics_by_slice.items()
    }
    if OVERALL not in slices:
        raise ValueError(f"no slice of {OVERALL}, only {', '.join(sorted(slices))}")
    overall = slices.pop(OVERALL)
    return ModelEvaluation(overall, tuple(slices[name] for name in sorted(slices)))


def slice_title(values: Iterable[tuple[str, str]]) -> str:
    """Returns the name of the slice of events with these values by column.

    >>> slice_title([("n", "2")]), slice_title([])
    ('n = 2', 'all events')
    """
    return ", ".join(f"{column} = {value}" for column, value in values) or OVERALL


def _slice_name(key: Any) -> str:
    return slice_title((part.column, _slice_value(part)) for part in key.single_slice_keys)


def _slice_value(part: Any) -> str:
    value = getattr(part, part.WhichOneof("kind"))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _score_histogram(name: str, plots: list[Any]) -> ScoreHistogram:
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
        raise ValueError(
            f"{name}: {max(bins, 0)} bins of the score, which is not a multiple of {DRAWN_BINS}"
        )
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
    cuts = _score_cuts(name, plots)
    return ScoreHistogram(_inside(signal), _inside(events - signal), _inside(score_sum), cuts)


def _score_cuts(name: str, plots: list[Any]) -> ScoreCuts:
    matrices = [
        (matrix.threshold, matrix.true_positives, matrix.false_positives)
        for entry in plots
        for matrix in entry.value.confusion_matrix_at_thresholds.matrices
    ]
    cuts = np.array(matrices, np.float64).reshape(-1, 3).T
    if not cuts.size or not np.isfinite(cuts).all() or (np.diff(cuts[0]) < 0).any():
        raise ValueError(f"{name}: no events by rising cuts on the score")
    return ScoreCuts(*cuts)


def _inside(counts: Array) -> Array:
    """Merges TFMA's additional bins, below 0 and from 1 on, into the first and last bin."""
    inside = counts[1:-1].copy()
    inside[0] += counts[0]
    inside[-1] += counts[-1]
    return inside
