"""The metrics of an evaluation, as TFMA metrics over arrays of events.

Each has the name and the value of TFMA's own metric, where there is one. They are meant for the
extracts of ``components.evaluator.extractors``, and work on any others.
"""

import functools
import operator
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import (
    calibration_histogram,
    confusion_matrix_plot,
    metric_types,
)
from tensorflow_model_analysis.utils import model_util

from components.evaluator import score_counts, standard_errors
from components.evaluator.combiners import (
    BUCKETS,
    MeanCombiner,
    MeanErrorCombiner,
    PairSampleCombiner,
    ScoreCountsCombiner,
    with_columnar_histogram,
)
from components.evaluator.paired_auc import AucDifference, auc_difference
from components.evaluator.score_counts import Array, ScoreCounts
from components.evaluator.score_cuts import score_cuts
from components.evaluator.significance import expected_significance
from formats import evaluation_record as record
from formats.gate_metrics import clear_confidence, error_of

Computations: TypeAlias = metric_types.MetricComputations

Results: TypeAlias = dict[metric_types.MetricKey, Any]

# The distance from 0 and 1 to which tf_keras clips probabilities before it takes the logarithm.
EPSILON = 1e-7

CALIBRATION_BINS = 10
"""Equal bins of the score in [0, 1] of the calibration error; they divide ``BUCKETS``."""


class ScoreCalibration(tfma.metrics.CalibrationPlot):
    """The share of signal by score, for a plot."""

    def computations(self, eval_config: Any = None, **kwargs: Any) -> Any:
        """Returns TFMA's computations with the histogram's combiner replaced."""
        stock = super().computations(eval_config=eval_config, **kwargs)
        return with_columnar_histogram(stock, eval_config)


class _PerModel(metric_types.Metric):
    """Base of metrics that are computed for each model separately."""

    key_type: type[metric_types.MetricKey] = metric_types.MetricKey
    _function: Callable[..., Any]
    _name: str

    def __init_subclass__(cls, value: Callable[..., Any] | None = None, name: str = ""):
        """Takes the function that computes the metric, and the metric's default name."""
        cls._name = name
        if value:
            cls._function = staticmethod(value)

    def __init__(self, name: str = "", **settings: Any):
        """Takes the metric's name, and settings of the function that computes it."""
        name = name or self._name
        super().__init__(tfma.metrics.merge_per_key_computations(self._of_model), name=name)
        self._settings = settings

    def get_config(self) -> dict[str, Any]:
        """Returns the serializable settings."""
        return {"name": self.name, **self._settings}

    @property
    def value(self) -> Callable[..., Any]:
        """The function that computes the metric, with its settings."""
        return functools.partial(self._function, **self._settings)

    # TFMA passes the arguments by these names.
    def _of_model(
        self,
        name: str,
        eval_config: Any = None,
        model_name: str = "",
        output_name: str = "",
        example_weighted: bool = False,
    ) -> Computations:
        key = self.key_type(
            name=name,
            model_name=model_name,
            output_name=output_name,
            example_weighted=example_weighted,
        )
        return self._computations(key, eval_config)

    def _computations(self, key: metric_types.MetricKey, eval_config: Any) -> Computations:
        raise NotImplementedError


class _OfScoreCounts(_PerModel):
    """Base of metrics that are a function of the events by score, which they share."""

    def _computations(self, key: metric_types.MetricKey, eval_config: Any) -> Computations:
        value, counts = self.value, _score_counts(key, eval_config)

        def result(metrics: Results) -> Results:
            return {key: value(metrics[counts.keys[0]])}

        return [counts, metric_types.DerivedMetricComputation(keys=[key], result=result)]


class _OfEvents(_PerModel):
    """Base of metrics that are a mean of one value per event."""

    combiner = MeanCombiner

    def _computations(self, key: metric_types.MetricKey, eval_config: Any) -> Computations:
        return [_computation(self.combiner(key, eval_config, self.value), key)]


class _OfAucChange(_PerModel):
    """Base of metrics of the difference between the AUCs of a candidate and the baseline.

    There is none without a baseline.
    """

    def _computations(self, key: metric_types.MetricKey, eval_config: Any) -> Computations:
        baseline = model_util.get_baseline_model_spec(eval_config)
        if baseline is None or key.model_name == baseline.name:
            return []
        value, change_key = self.value, key._replace(is_diff=True)
        candidate_counts = _score_counts(key, eval_config)
        baseline_counts = _score_counts(key._replace(model_name=baseline.name), eval_config)
        pairs_key = key._replace(name="_score_pairs")
        pairs = _computation(PairSampleCombiner(pairs_key, eval_config, baseline.name), pairs_key)

        def result(metrics: Results) -> Results:
            counts = (metrics[c.keys[0]] for c in (candidate_counts, baseline_counts))
            return {change_key: value(auc_difference(*counts, *metrics[pairs_key]))}

        derived = metric_types.DerivedMetricComputation(keys=[change_key], result=result)
        return [candidate_counts, baseline_counts, pairs, derived]


def _event_count(counts: ScoreCounts) -> float:
    return float(counts.signal.sum() + counts.background.sum())


def _signal_count(counts: ScoreCounts) -> float:
    return float(counts.signal.sum())


def maximal_significance(counts: ScoreCounts) -> float:
    """Computes the maximum expected significance of a cut on the score; NaN if undefined."""
    if not counts.is_ordered:
        return float("nan")
    return float(expected_significance(*score_counts.passing_shares(counts)).max())


def change_lower_bound(
    change: AucDifference, confidence: float = 0.95, when_undecided: str = ""
) -> float:
    """Computes the one-sided lower confidence bound of the difference of two AUCs.

    Args:
        change: the difference.
        confidence: the probability that the bound is below the true difference.
        when_undecided: what a bound below the threshold means for the push, for readers of the
            configuration; the value does not depend on it.
    """
    del when_undecided
    return change.lower_bound(NormalDist().inv_cdf(confidence))


def _change_clear_bound(
    change: AucDifference, confidence: float = 0.95, when_undecided: str = ""
) -> float:
    return change_lower_bound(change, clear_confidence(confidence), when_undecided)


def _is_correct(labels: Array, predictions: Array) -> Array:
    return ((predictions > 0.5) == (labels > 0.5)).astype(np.float64)


def _cross_entropy(labels: Array, predictions: Array) -> Array:
    clipped = np.clip(predictions, EPSILON, 1.0 - EPSILON)
    return -(labels * np.log(clipped) + (1.0 - labels) * np.log1p(-clipped))


class ScoreConfusion(
    _OfScoreCounts, value=score_cuts, name=confusion_matrix_plot.CONFUSION_MATRIX_PLOT_NAME
):
    """Confusion matrices at the cuts of ``score_cuts``, for plots.

    It has the name of TFMA's own plot, because TFMA reads only such plots back together.
    """

    key_type = metric_types.PlotKey


class EventCount(_OfScoreCounts, value=_event_count, name=record.EVENT_COUNT):
    """The number of events, or the sum of their weights if they are weighted."""


class SignalCount(_OfScoreCounts, value=_signal_count, name=record.SIGNAL_COUNT):
    """The number of signal events."""


class RocAuc(_OfScoreCounts, value=score_counts.auc, name=record.AUC):
    """Area under the ROC curve; NaN if it is undefined."""


class AucStandardError(
    _OfScoreCounts, value=score_counts.auc_standard_error, name=record.AUC_STANDARD_ERROR
):
    """The standard error of the AUC (DeLong, DeLong, Clarke-Pearson 1988); NaN if undefined."""


class AucChangeError(
    _OfAucChange, value=operator.attrgetter("standard_error"), name=record.AUC_CHANGE_ERROR
):
    """The standard error of the difference of two AUCs on the same events."""


class AucChangeLowerBound(
    _OfAucChange, value=change_lower_bound, name=record.AUC_CHANGE_LOWER_BOUND
):
    """The lower bound of the difference of two AUCs; see ``change_lower_bound``."""


class AucChangeClearBound(
    _OfAucChange, value=_change_clear_bound, name=record.AUC_CHANGE_CLEAR_BOUND
):
    """The bound of ``AucChangeLowerBound`` at ``formats.gate_metrics.clear_confidence``."""


class BackgroundRejection(
    _OfScoreCounts, value=score_counts.background_rejection, name="background_rejection"
):
    """Background rejection at a signal efficiency: 1 / (false positive rate).

    The inverse of the share of background events that pass the cut with the given signal
    efficiency; infinite if none passes, NaN if a class has no events. The ROC curve is
    interpolated linearly between scores.
    """


class RejectionError(_OfScoreCounts, value=standard_errors.rejection_error):
    """The standard error of ``BackgroundRejection``, with the same settings; NaN if undefined."""


class MaximalSignificance(_OfScoreCounts, value=maximal_significance, name="maximal_significance"):
    """The approximate median significance of a discovery at the best cut on the score.

    The maximum over all cuts of ``components.evaluator.significance.expected_significance``; NaN
    if a class has no events.
    """


class SignificanceError(
    _OfScoreCounts, value=standard_errors.significance_error, name=error_of("maximal_significance")
):
    """The standard error of ``MaximalSignificance``; NaN if undefined."""


class Accuracy(_OfEvents, value=_is_correct, name="binary_accuracy"):
    """The share of events that a threshold of 0.5 on the score classifies correctly."""


class LogLoss(_OfEvents, value=_cross_entropy, name="binary_crossentropy"):
    """The mean binary cross entropy, in nats."""


class LogLossError(_OfEvents, value=_cross_entropy, name=error_of("binary_crossentropy")):
    """The standard error of ``LogLoss``: the standard deviation over the root of the events."""

    combiner = MeanErrorCombiner


class ExpectedCalibrationError(_PerModel, name="expected_calibration_error"):
    """The mean distance between scores and the share of signal among events with such scores.

    The mean over bins of the score, weighted by their events, of |mean label - mean score|:
    Naeini, Cooper, Hauskrecht 2015 (AAAI, 2901). Its standard error is a metric too: that of the
    mean of +-(label - score), with the sign of each bin fixed. The error of few events is
    slightly too large, because chance also moves the share of signal away from the score.
    """

    def _computations(self, key: metric_types.MetricKey, eval_config: Any) -> Computations:
        stock = calibration_histogram.calibration_histogram(
            eval_config=eval_config,
            model_name=key.model_name,
            output_name=key.output_name,
            example_weighted=key.example_weighted,
        )
        histogram = with_columnar_histogram(stock, eval_config)
        error_key = key._replace(name=error_of(key.name))

        def result(metrics: Results) -> Results:
            errors = _calibration_error(metrics[histogram[-1].keys[-1]])
            return dict(zip((key, error_key), errors, strict=True))

        derived = metric_types.DerivedMetricComputation(keys=[key, error_key], result=result)
        return [*histogram, derived]


def _computation(combiner: Any, key: metric_types.MetricKey) -> metric_types.MetricComputation:
    return metric_types.MetricComputation(keys=[key], preprocessors=None, combiner=combiner)


def _score_counts(key: metric_types.MetricKey, eval_config: Any) -> metric_types.MetricComputation:
    # TFMA computes what has the same key once, and does not write what begins with _.
    counts_key = metric_types.MetricKey(**{**key._asdict(), "name": "_score_counts"})
    return _computation(ScoreCountsCombiner(counts_key, eval_config), counts_key)


def _calibration_error(buckets: calibration_histogram.Histogram) -> tuple[float, float]:
    """Computes the calibration error and its standard error; NaN without events."""
    ids = np.array([bucket.bucket_id for bucket in buckets], np.int64)
    bins = np.clip(ids - 1, 0, BUCKETS - 1) * CALIBRATION_BINS // BUCKETS
    labels, scores, weights = (
        np.bincount(bins, [getattr(bucket, field) for bucket in buckets])
        for field in ("weighted_labels", "weighted_predictions", "weighted_examples")
    )
    total = weights.sum()
    if not total:
        return float("nan"), float("nan")
    error = float(np.abs(labels - scores).sum() / total)
    # Within a fine bin the scores are equal but for 1e-4.
    squares = sum(
        b.weighted_labels * (1 - 2 * b.weighted_predictions / b.weighted_examples)
        + b.weighted_predictions**2 / b.weighted_examples
        for b in buckets
    )
    variance = max(0.0, squares / total - error**2)
    return error, float(np.sqrt(variance / total))
