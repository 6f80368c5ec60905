"""The peer of the Evaluator: the stock node, TFMA's own classes and extractors.

Slices are the usual way: the few-valued columns that are sliced by are columns of
the examples themselves.
"""

import json
from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics.binary_confusion_matrices import Matrices
from tensorflow_model_analysis.metrics.calibration_histogram import calibration_histogram
from tensorflow_model_analysis.metrics.confusion_matrix_metrics import ConfusionMatrixMetricBase
from tensorflow_model_analysis.metrics.metric_types import (
    DerivedMetricComputation,
    Metric,
    MetricComputations,
    MetricKey,
)
from tensorflow_model_analysis.metrics.metric_util import merge_per_key_computations
from tfx import v1 as tfx
from tfx.dsl.components.base.base_node import BaseNode
from tfx.types.standard_artifacts import Examples, Model

from components.evaluator.significance import (
    EXPECTED_BACKGROUND,
    EXPECTED_SIGNAL,
    median_significance,
)
from components.evaluator.slices import SLICE_COLUMNS, slice_columns
from formats.features import FEATURES, LABEL
from formats.published.record import Events
from models.network import OUTPUT

PREFIX = "slice_"
"""Tells a column to slice by, such as a jet's b-tag as a word, from the feature of that name."""

METRICS = [
    tfma.MetricConfig(class_name="ExampleCount"),
    tfma.MetricConfig(class_name="AUC", config=json.dumps({"name": "auc"})),
    tfma.MetricConfig(class_name="BinaryAccuracy"),
    tfma.MetricConfig(class_name="BinaryCrossentropy"),
    tfma.MetricConfig(
        class_name="StockBackgroundRejection",
        module="benchmarks.stock_evaluation",
        config=json.dumps({"signal_efficiency": 0.5, "name": "background_rejection"}),
    ),
    tfma.MetricConfig(
        class_name="StockMaximalSignificance",
        module="benchmarks.stock_evaluation",
        config=json.dumps({"name": "maximal_significance"}),
    ),
    tfma.MetricConfig(
        class_name="StockCalibrationError",
        module="benchmarks.stock_evaluation",
        config=json.dumps({"name": "expected_calibration_error"}),
    ),
    tfma.MetricConfig(class_name="CalibrationPlot"),
    tfma.MetricConfig(class_name="ConfusionMatrixPlot"),
]


class StockBackgroundRejection(ConfusionMatrixMetricBase):
    """1 / background efficiency, on the histogram that stock AUC shares."""

    def __init__(self, signal_efficiency: float, name: str):
        """Construct the metric.

        Args:
          signal_efficiency: the share of signal events kept.
          name: the metric's name.
        """
        super().__init__(signal_efficiency=signal_efficiency, name=name)

    def _metric_value(self, signal_efficiency: float, key: MetricKey, matrices: Matrices) -> float:
        del key
        kept = np.array(matrices.tp) / (matrices.tp[0] + matrices.fn[0])
        passed = np.array(matrices.fp) / (matrices.fp[0] + matrices.tn[0])
        # Thresholds rise, so shares fall; interp wants them rising.
        return float(1 / np.interp(signal_efficiency, kept[::-1], passed[::-1]))


class StockMaximalSignificance(ConfusionMatrixMetricBase):
    """The best cut's median significance, on the histogram that stock AUC shares."""

    def __init__(self, name: str):
        super().__init__(name=name)

    def _metric_value(self, key: MetricKey, matrices: Matrices) -> float:
        del key
        kept = np.array(matrices.tp) / (matrices.tp[0] + matrices.fn[0])
        passed = np.array(matrices.fp) / (matrices.fp[0] + matrices.tn[0])
        by_cut = median_significance(kept * EXPECTED_SIGNAL, passed * EXPECTED_BACKGROUND)
        return float(by_cut.max())


class StockCalibrationError(Metric):
    """The mean of |mean label - mean score| over ten bins, on the stock calibration histogram."""

    def __init__(self, name: str):
        super().__init__(merge_per_key_computations(_calibration_error), name=name)


def _calibration_error(
    name: str, eval_config: Any = None, model_name: str = "", output_name: str = ""
) -> MetricComputations:
    whose = {"model_name": model_name, "output_name": output_name}
    histogram = calibration_histogram(eval_config=eval_config, num_buckets=10, **whose)
    key = MetricKey(name=name, **whose)

    def result(metrics: dict[MetricKey, Any]) -> dict[MetricKey, float]:
        buckets = metrics[histogram[-1].keys[-1]]
        apart = sum(abs(bucket.weighted_labels - bucket.weighted_predictions) for bucket in buckets)
        return {key: apart / sum(bucket.weighted_examples for bucket in buckets)}

    return [*histogram, DerivedMetricComputation(keys=[key], result=result)]


def node() -> BaseNode:
    """The node; TFMA's own classes but for the physicists' metrics, which it has not."""
    return tfx.components.Evaluator(
        examples=tfx.dsl.Channel(type=Examples),
        model=tfx.dsl.Channel(type=Model),
        eval_config=tfma.EvalConfig(
            model_specs=[
                tfma.ModelSpec(
                    signature_name="score_columns", prediction_key=OUTPUT, label_key=LABEL
                )
            ],
            slicing_specs=[
                tfma.SlicingSpec(),
                *(tfma.SlicingSpec(feature_keys=[PREFIX + column]) for column in SLICE_COLUMNS),
            ],
            metrics_specs=[tfma.MetricsSpec(metrics=METRICS)],
        ),
    )


def slice_texts(events: Events) -> dict[str, np.ndarray]:
    """The columns to slice by, as text [N]."""
    columns = slice_columns(dict(zip(FEATURES, events.features.T, strict=True)))
    return {PREFIX + name: column.astype("S").reshape(-1) for name, column in columns.items()}
