"""The metrics of an evaluation, as TFMA metrics over arrays of events.

Each has the name and the value of TFMA's own metric, where there is one. They are meant for the
extracts of ``components.evaluator.extractors``, and work on any others.
"""

import functools
from collections.abc import Callable, Sequence
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
    Array,
    EventValue,
    MeanCombiner,
    MeanErrorCombiner,
    PairSampleCombiner,
    ScoreCountsCombiner,
    SumOfWeightsCombiner,
    with_columnar_histogram,
)
from components.evaluator.paired_auc import AucDifference, auc_difference
from components.evaluator.score_counts import ScoreCounts
from components.evaluator.score_cuts import score_cuts
from components.evaluator.significance import (
    EXPECTED_BACKGROUND,
    EXPECTED_SIGNAL,
    REGULARISATION,
    median_significance,
)
from formats.evaluation_record import (
    AUC,
    AUC_CHANGE_CLEAR_BOUND,
    AUC_CHANGE_ERROR,
    AUC_CHANGE_LOWER_BOUND,
    AUC_STANDARD_ERROR,
    EVENT_COUNT,
    SIGNAL_COUNT,
)
from formats.gate_metrics import clear_confidence, error_of

ScoreValue: TypeAlias = Callable[..., Any]
"""Computes a metric or a plot from events by score and the metric's settings."""

# The distance from 0 and 1 to which tf_keras clips probabilities before it takes the logarithm.
EPSILON = 1e-7


class ScoreCalibration(tfma.metrics.CalibrationPlot):
    """The share of signal by score, for a plot."""

    def computations(self, eval_config: Any = None, **kwargs: Any) -> Any:
        """Returns TFMA's computations with the histogram's combiner replaced."""
        stock = super().computations(eval_config=eval_config, **kwargs)
        return with_columnar_histogram(stock, eval_config)


class _OfScoreCounts(metric_types.Metric):
    """Base of metrics that are a function of the events by score, which they share."""

    key_type: type[metric_types.MetricKey] = metric_types.MetricKey

    def __init__(self, value: ScoreValue, name: str, **settings: float):
        computations = tfma.metrics.merge_per_key_computations(_of_score_counts)
        super().__init__(
            computations, name=name, value=value, settings=settings, key_type=self.key_type
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the serializable settings."""
        return {"name": self.name, **self.kwargs["settings"]}


class ScoreConfusion(_OfScoreCounts):
    """Confusion matrices at the cuts of ``score_cuts``, for plots.

    It has the name of TFMA's own plot, because TFMA reads only such plots back together.
    """

    key_type = metric_types.PlotKey

    def __init__(self, name: str = confusion_matrix_plot.CONFUSION_MATRIX_PLOT_NAME):
        super().__init__(score_cuts, name)


class RocAuc(_OfScoreCounts):
    """Area under the ROC curve; NaN if it is undefined."""

    def __init__(self, name: str = AUC):
        super().__init__(score_counts.auc, name)


class AucStandardError(_OfScoreCounts):
    """The standard error of the AUC (DeLong, DeLong, Clarke-Pearson 1988); NaN if undefined."""

    def __init__(self, name: str = AUC_STANDARD_ERROR):
        super().__init__(score_counts.auc_standard_error, name)


class SignalCount(_OfScoreCounts):
    """The number of signal events."""

    def __init__(self, name: str = SIGNAL_COUNT):
        super().__init__(_signal_count, name)


class _OfAucChange(metric_types.Metric):
    """Base of metrics of the difference between the AUCs of a candidate and the baseline.

    They are differences for TFMA, subject to change thresholds, and absent without a baseline.
    """

    def __init__(self, value: Callable[[AucDifference], float], name: str, **settings: Any):
        super().__init__(_of_auc_change, name=name, value=value, settings=settings)

    def get_config(self) -> dict[str, Any]:
        """Returns the serializable settings."""
        return {"name": self.name, **self.kwargs["settings"]}


class AucChangeError(_OfAucChange):
    """The standard error of the difference of two AUCs on the same events."""

    def __init__(self, name: str = AUC_CHANGE_ERROR):
        super().__init__(_change_error, name)


class AucChangeLowerBound(_OfAucChange):
    """The one-sided lower confidence bound of the difference of two AUCs on the same events."""

    def __init__(
        self,
        confidence: float = 0.95,
        when_undecided: str = "",
        name: str = AUC_CHANGE_LOWER_BOUND,
    ):
        """Construct the metric.

        Args:
            confidence: the probability that the bound is below the true difference.
            when_undecided: what a bound below the threshold means for the push, for readers of
                the configuration; the value does not depend on it.
            name: the metric's name.
        """
        quantile = NormalDist().inv_cdf(self._confidence(confidence))
        super().__init__(
            functools.partial(_change_lower_bound, quantile=quantile),
            name,
            confidence=confidence,
            when_undecided=when_undecided,
        )

    def _confidence(self, configured: float) -> float:
        return configured


class AucChangeClearBound(AucChangeLowerBound):
    """The bound of ``AucChangeLowerBound`` at ``formats.gate_metrics.clear_confidence``."""

    def __init__(self, name: str = AUC_CHANGE_CLEAR_BOUND, **settings: Any):
        """Construct the metric; its settings are those of ``AucChangeLowerBound``."""
        super().__init__(name=name, **settings)

    def _confidence(self, configured: float) -> float:
        return clear_confidence(configured)


class BackgroundRejection(_OfScoreCounts):
    """Background rejection at a signal efficiency: 1 / (false positive rate).

    The inverse of the share of background events that pass the cut with the given signal
    efficiency; infinite if none passes, NaN if a class has no events. The ROC curve is
    interpolated linearly between scores.
    """

    def __init__(self, signal_efficiency: float = 0.5, name: str = "background_rejection"):
        """Construct the metric.

        Args:
            signal_efficiency: the share of signal events that pass, in (0, 1).
            name: the metric's name.
        """
        super().__init__(
            score_counts.background_rejection, name, signal_efficiency=signal_efficiency
        )


class MaximalSignificance(_OfScoreCounts):
    """The approximate median significance of a discovery at the best cut on the score.

    The maximum over all cuts of ``components.evaluator.significance.median_significance`` of the
    events that pass, for given expected numbers of events before the cut; NaN if a class has no
    events.
    """

    def __init__(
        self,
        expected_signal: float = EXPECTED_SIGNAL,
        expected_background: float = EXPECTED_BACKGROUND,
        regularisation: float = REGULARISATION,
        name: str = "maximal_significance",
    ):
        """Construct the metric.

        Args:
            expected_signal: signal events before any cut.
            expected_background: background events before any cut.
            regularisation: background events added, against cuts that few events pass.
            name: the metric's name.
        """
        super().__init__(
            _maximal_significance,
            name,
            expected_signal=expected_signal,
            expected_background=expected_background,
            regularisation=regularisation,
        )


class RejectionError(_OfScoreCounts):
    """The standard error of ``BackgroundRejection``; NaN if undefined."""

    def __init__(self, signal_efficiency: float = 0.5, name: str = ""):
        """Construct the metric; the settings are those of ``BackgroundRejection``."""
        super().__init__(standard_errors.rejection_error, name, signal_efficiency=signal_efficiency)


class SignificanceError(_OfScoreCounts):
    """The standard error of ``MaximalSignificance`` with its default settings; NaN if undefined."""

    def __init__(self, name: str = error_of("maximal_significance")):
        value = functools.partial(
            standard_errors.significance_error,
            expected_signal=EXPECTED_SIGNAL,
            expected_background=EXPECTED_BACKGROUND,
            regularisation=REGULARISATION,
        )
        super().__init__(value, name)


class ExpectedCalibrationError(metric_types.Metric):
    """The mean distance between scores and the share of signal among events with such scores.

    The mean over bins of the score, weighted by their events, of |mean label - mean score|:
    Naeini, Cooper, Hauskrecht 2015 (AAAI, 2901). Its standard error is a metric too: that of the
    mean of +-(label - score), with the sign of each bin fixed. The error of few events is
    slightly too large, because chance also moves the share of signal away from the score.
    """

    def __init__(self, num_bins: int = 10, name: str = "expected_calibration_error"):
        """Construct the metric.

        Args:
            num_bins: number of equal bins of the score in [0, 1]; a divisor of 10,000, the number
                of bins in which scores are counted.
            name: the metric's name.

        Raises:
            ValueError: ``num_bins`` is not such a divisor.
        """
        if num_bins < 1 or BUCKETS % num_bins:
            raise ValueError(
                f"num_bins {num_bins} does not divide {BUCKETS}: use for example 10, 20 or 25"
            )
        computations = tfma.metrics.merge_per_key_computations(_calibration_error)
        super().__init__(computations, num_bins=num_bins, name=name)


class EventCount(metric_types.Metric):
    """The number of events."""

    def __init__(self, name: str = EVENT_COUNT):
        super().__init__(_per_model(SumOfWeightsCombiner), name=name)


class Accuracy(metric_types.Metric):
    """The share of events that a threshold of 0.5 on the score classifies correctly."""

    def __init__(self, name: str = "binary_accuracy"):
        super().__init__(_per_model(MeanCombiner, value=_is_correct), name=name)


class LogLoss(metric_types.Metric):
    """The mean binary cross entropy, in nats."""

    def __init__(self, name: str = "binary_crossentropy"):
        super().__init__(_per_model(MeanCombiner, value=_cross_entropy), name=name)


class LogLossError(metric_types.Metric):
    """The standard error of ``LogLoss``: the standard deviation over the root of the events."""

    def __init__(self, name: str = error_of("binary_crossentropy")):
        super().__init__(_per_model(MeanErrorCombiner, value=_cross_entropy), name=name)


def _of_score_counts(
    name: str,
    value: ScoreValue,
    settings: dict[str, float],
    key_type: type[metric_types.MetricKey],
    eval_config: Any = None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> metric_types.MetricComputations:
    key = key_type(
        name=name,
        model_name=model_name,
        output_name=output_name,
        example_weighted=example_weighted,
    )
    computation = _score_counts(key, eval_config)

    def result(metrics: dict[metric_types.MetricKey, Any]) -> dict[metric_types.MetricKey, Any]:
        return {key: value(metrics[computation.keys[0]], **settings)}

    return [computation, metric_types.DerivedMetricComputation(keys=[key], result=result)]


def _of_auc_change(
    name: str,
    value: Callable[[AucDifference], float],
    settings: dict[str, Any],
    eval_config: Any,
    model_names: list[str],
    output_names: Sequence[str] = ("",),
    example_weighted: bool = False,
) -> metric_types.MetricComputations:
    del settings
    baseline = model_util.get_baseline_model_spec(eval_config)
    computations: metric_types.MetricComputations = []
    for model_name in model_names if baseline else ():
        if model_name == baseline.name:
            continue
        for output_name in output_names:
            key = metric_types.MetricKey(
                name=name,
                model_name=model_name,
                output_name=output_name,
                example_weighted=example_weighted,
                is_diff=True,
            )
            computations += _change_computations(key, value, eval_config, baseline.name)
    return computations


def _change_computations(
    key: metric_types.MetricKey,
    value: Callable[[AucDifference], float],
    eval_config: Any,
    baseline: str,
) -> metric_types.MetricComputations:
    candidate_counts = _score_counts(key._replace(is_diff=False), eval_config)
    baseline_counts = _score_counts(key._replace(is_diff=False, model_name=baseline), eval_config)
    pairs_key = key._replace(name="_score_pairs", is_diff=False)
    pairs = metric_types.MetricComputation(
        keys=[pairs_key],
        preprocessors=None,
        combiner=PairSampleCombiner(pairs_key, eval_config, baseline),
    )

    def result(metrics: dict[metric_types.MetricKey, Any]) -> dict[metric_types.MetricKey, float]:
        counts = (metrics[c.keys[0]] for c in (candidate_counts, baseline_counts))
        return {key: value(auc_difference(*counts, *metrics[pairs_key]))}

    derived = metric_types.DerivedMetricComputation(keys=[key], result=result)
    return [candidate_counts, baseline_counts, pairs, derived]


def _score_counts(key: metric_types.MetricKey, eval_config: Any) -> metric_types.MetricComputation:
    # TFMA computes what has the same key once, and does not write what begins with _.
    counts_key = metric_types.MetricKey(**{**key._asdict(), "name": "_score_counts"})
    return metric_types.MetricComputation(
        keys=[counts_key],
        preprocessors=None,
        combiner=ScoreCountsCombiner(counts_key, eval_config),
    )


def _change_error(change: AucDifference) -> float:
    return change.standard_error


def _change_lower_bound(change: AucDifference, quantile: float) -> float:
    return change.lower_bound(quantile)


def _signal_count(counts: ScoreCounts) -> float:
    return float(counts.signal.sum())


def _maximal_significance(
    counts: ScoreCounts,
    expected_signal: float,
    expected_background: float,
    regularisation: float,
) -> float:
    if not counts.is_ordered:
        return float("nan")
    signal, background = score_counts.passing_shares(counts)
    significance = median_significance(
        signal * expected_signal, background * expected_background, regularisation
    )
    return float(significance.max())


def _calibration_error(
    num_bins: int,
    name: str,
    eval_config: Any = None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> metric_types.MetricComputations:
    key_fields = {
        "model_name": model_name,
        "output_name": output_name,
        "example_weighted": example_weighted,
    }
    stock = calibration_histogram.calibration_histogram(eval_config=eval_config, **key_fields)
    computations = with_columnar_histogram(stock, eval_config)
    histogram_key = computations[-1].keys[-1]
    key = metric_types.MetricKey(name=name, **key_fields)

    def result(metrics: dict[metric_types.MetricKey, Any]) -> dict[metric_types.MetricKey, float]:
        buckets = metrics[histogram_key]
        ids = np.array([bucket.bucket_id for bucket in buckets], np.int64)
        positions = np.clip(ids - 1, 0, BUCKETS - 1)
        labels, scores, weights = (
            np.bincount(
                positions * num_bins // BUCKETS, [getattr(bucket, name) for bucket in buckets]
            )
            for name in ("weighted_labels", "weighted_predictions", "weighted_examples")
        )
        total = weights.sum()
        if not total:
            return {key: float("nan"), error_key: float("nan")}
        error = float(np.abs(labels - scores).sum() / total)
        # Within a fine bin the scores are equal but for 1e-4.
        squares = sum(
            b.weighted_labels * (1 - 2 * b.weighted_predictions / b.weighted_examples)
            + b.weighted_predictions**2 / b.weighted_examples
            for b in buckets
        )
        variance = max(0.0, squares / total - error**2)
        return {key: error, error_key: float(np.sqrt(variance / total))}

    error_key = key._replace(name=error_of(name))
    derived = metric_types.DerivedMetricComputation(keys=[key, error_key], result=result)
    return [*computations, derived]


def _per_model(combiner: Any, **options: EventValue) -> Any:
    def computations(
        name: str,
        eval_config: Any = None,
        model_name: str = "",
        output_name: str = "",
        example_weighted: bool = False,
    ) -> metric_types.MetricComputations:
        key = metric_types.MetricKey(
            name=name,
            model_name=model_name,
            output_name=output_name,
            example_weighted=example_weighted,
        )
        return [
            metric_types.MetricComputation(
                keys=[key], preprocessors=None, combiner=combiner(key, eval_config, **options)
            )
        ]

    return tfma.metrics.merge_per_key_computations(computations)


def _is_correct(labels: Array, predictions: Array) -> Array:
    return ((predictions > 0.5) == (labels > 0.5)).astype(np.float64)


def _cross_entropy(labels: Array, predictions: Array) -> Array:
    clipped = np.clip(predictions, EPSILON, 1.0 - EPSILON)
    return -(labels * np.log(clipped) + (1.0 - labels) * np.log1p(-clipped))
