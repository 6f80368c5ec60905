"""The metrics of an evaluation, as TFMA metrics over arrays of events.

Each has the name and the value of TFMA's own metric, where there is one. They are meant for the
extracts of ``components.evaluator.extractors``, and work on any others.
"""

from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import (
    binary_confusion_matrices,
    calibration_histogram,
    metric_types,
)
from tensorflow_model_analysis.metrics.confusion_matrix_metrics import ConfusionMatrixMetricBase

from components.evaluator.combiners import (
    BUCKETS,
    Array,
    EventValue,
    MeanCombiner,
    SumOfWeightsCombiner,
    with_columnar_histogram,
)
from components.evaluator.significance import (
    EXPECTED_BACKGROUND,
    EXPECTED_SIGNAL,
    REGULARISATION,
    median_significance,
)

# The distance from 0 and 1 to which tf_keras clips probabilities before it takes the logarithm.
EPSILON = 1e-7


class _Columnar(metric_types.Metric):
    """Mixin for stock metrics that computes their histogram in NumPy."""

    def computations(self, eval_config: Any = None, **kwargs: Any) -> Any:
        """Returns TFMA's computations with the histogram's combiner replaced."""
        stock = super().computations(eval_config=eval_config, **kwargs)
        return with_columnar_histogram(stock, eval_config)


class RocAuc(_Columnar, tfma.metrics.AUC):
    """Area under the ROC curve, from 10,000 thresholds."""


class ScoreCalibration(_Columnar, tfma.metrics.CalibrationPlot):
    """The share of signal by score, for a plot."""


class ScoreConfusion(_Columnar, tfma.metrics.ConfusionMatrixPlot):
    """Confusion matrices at 1,000 thresholds, for plots."""


class BackgroundRejection(_Columnar, ConfusionMatrixMetricBase):
    """Background rejection at a signal efficiency: 1 / (false positive rate).

    The inverse of the share of background events that pass the cut with the given signal
    efficiency; infinite if none passes. The ROC curve is interpolated linearly between
    thresholds.
    """

    def __init__(
        self,
        signal_efficiency: float = 0.5,
        num_thresholds: int | None = None,
        name: str | None = None,
    ):
        """Construct the metric.

        Args:
            signal_efficiency: the share of signal events that pass, in (0, 1).
            num_thresholds: number of cuts on the score; 10,000 by default, as for AUC, which then
                shares the histogram.
            name: the metric's name.
        """
        super().__init__(
            signal_efficiency=signal_efficiency, num_thresholds=num_thresholds, name=name
        )

    def _default_name(self) -> str:
        return "background_rejection"

    def _metric_value(
        self,
        signal_efficiency: float,
        key: metric_types.MetricKey,
        matrices: binary_confusion_matrices.Matrices,
    ) -> float:
        del key
        signal = matrices.tp[0] + matrices.fn[0]
        background = matrices.fp[0] + matrices.tn[0]
        if not signal or not background:
            return float("nan")
        # Thresholds increase, so rates decrease; interp requires increasing ones.
        efficiencies = np.array(matrices.tp)[::-1] / signal
        mistag_rates = np.array(matrices.fp)[::-1] / background
        mistag_rate = float(np.interp(signal_efficiency, efficiencies, mistag_rates))
        return 1.0 / mistag_rate if mistag_rate else float("inf")


class MaximalSignificance(_Columnar, ConfusionMatrixMetricBase):
    """The approximate median significance of a discovery at the best cut on the score.

    The maximum over all thresholds of ``components.evaluator.significance.median_significance``
    of the events that pass, for given expected numbers of events before the cut.
    """

    def __init__(
        self,
        expected_signal: float = EXPECTED_SIGNAL,
        expected_background: float = EXPECTED_BACKGROUND,
        regularisation: float = REGULARISATION,
        num_thresholds: int | None = None,
        name: str | None = None,
    ):
        """Construct the metric.

        Args:
            expected_signal: signal events before any cut.
            expected_background: background events before any cut.
            regularisation: background events added, against cuts that few events pass.
            num_thresholds: number of cuts on the score; 10,000 by default.
            name: the metric's name.
        """
        super().__init__(
            expected_signal=expected_signal,
            expected_background=expected_background,
            regularisation=regularisation,
            num_thresholds=num_thresholds,
            name=name,
        )

    def _default_name(self) -> str:
        return "maximal_significance"

    def _metric_value(
        self,
        expected_signal: float,
        expected_background: float,
        regularisation: float,
        key: metric_types.MetricKey,
        matrices: binary_confusion_matrices.Matrices,
    ) -> float:
        del key
        signal = matrices.tp[0] + matrices.fn[0]
        background = matrices.fp[0] + matrices.tn[0]
        if not signal or not background:
            return float("nan")
        significance = median_significance(
            np.array(matrices.tp) * (expected_signal / signal),
            np.array(matrices.fp) * (expected_background / background),
            regularisation,
        )
        return float(significance.max())


class ExpectedCalibrationError(metric_types.Metric):
    """The mean distance between scores and the share of signal among events with such scores.

    The mean over bins of the score, weighted by their events, of |mean label - mean score|:
    Naeini, Cooper, Hauskrecht 2015 (AAAI, 2901).
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

    def __init__(self, name: str = "example_count"):
        super().__init__(_per_model(SumOfWeightsCombiner), name=name)


class Accuracy(metric_types.Metric):
    """The share of events that a threshold of 0.5 on the score classifies correctly."""

    def __init__(self, name: str = "binary_accuracy"):
        super().__init__(_per_model(MeanCombiner, value=_is_correct), name=name)


class LogLoss(metric_types.Metric):
    """The mean binary cross entropy, in nats."""

    def __init__(self, name: str = "binary_crossentropy"):
        super().__init__(_per_model(MeanCombiner, value=_cross_entropy), name=name)


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
        return {key: float(np.abs(labels - scores).sum() / total) if total else float("nan")}

    derived = metric_types.DerivedMetricComputation(keys=[key], result=result)
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
