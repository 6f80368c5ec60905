"""The stock Evaluator with TFMA's own classes and extractors, the peer of ours.

As usual in TFMA, the columns to slice by are columns of the examples.
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

from components.evaluator.significance import expected_significance
from components.evaluator.slices import SLICE_COLUMNS, slice_columns
from formats.features import FEATURES, LABEL
from formats.names import COLUMNS_SIGNATURE, SIGNAL_PROBABILITY
from formats.published.record import Events

SLICE_PREFIX = "slice_"
"""Suffix that distinguishes a column to slice by, such as a b-tag in words, from its feature."""

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
    """1 / background efficiency, on the histogram of stock AUC."""

    def __init__(self, signal_efficiency: float, name: str):
        """Creates the metric.

        Args:
            signal_efficiency: the fraction of signal events that pass the cut.
            name: the metric's name.
        """
        super().__init__(signal_efficiency=signal_efficiency, name=name)

    def _metric_value(self, signal_efficiency: float, key: MetricKey, matrices: Matrices) -> float:
        del key
        signal_efficiencies = np.array(matrices.tp) / (matrices.tp[0] + matrices.fn[0])
        background_efficiencies = np.array(matrices.fp) / (matrices.fp[0] + matrices.tn[0])
        # Efficiencies decrease with the threshold; interp requires them to increase.
        return float(
            1
            / np.interp(signal_efficiency, signal_efficiencies[::-1], background_efficiencies[::-1])
        )


class StockMaximalSignificance(ConfusionMatrixMetricBase):
    """Maximum median significance of a cut, on the histogram of stock AUC."""

    def __init__(self, name: str):
        super().__init__(name=name)

    def _metric_value(self, key: MetricKey, matrices: Matrices) -> float:
        del key
        signal_efficiencies = np.array(matrices.tp) / (matrices.tp[0] + matrices.fn[0])
        background_efficiencies = np.array(matrices.fp) / (matrices.fp[0] + matrices.tn[0])
        return float(expected_significance(signal_efficiencies, background_efficiencies).max())


class StockCalibrationError(Metric):
    """Mean of |mean label - mean score| over ten bins, on the stock calibration histogram."""

    def __init__(self, name: str):
        super().__init__(merge_per_key_computations(_calibration_error), name=name)


def _calibration_error(
    name: str, eval_config: Any = None, model_name: str = "", output_name: str = ""
) -> MetricComputations:
    key_names = {"model_name": model_name, "output_name": output_name}
    histogram = calibration_histogram(eval_config=eval_config, num_buckets=10, **key_names)
    key = MetricKey(name=name, **key_names)

    def result(metrics: dict[MetricKey, Any]) -> dict[MetricKey, float]:
        buckets = metrics[histogram[-1].keys[-1]]
        gap = sum(abs(bucket.weighted_labels - bucket.weighted_predictions) for bucket in buckets)
        return {key: gap / sum(bucket.weighted_examples for bucket in buckets)}

    return [*histogram, DerivedMetricComputation(keys=[key], result=result)]


def stock_evaluator() -> BaseNode:
    """The node, with TFMA's own classes except for the physics metrics, which TFMA lacks."""
    return tfx.components.Evaluator(
        examples=tfx.dsl.Channel(type=Examples),
        model=tfx.dsl.Channel(type=Model),
        eval_config=tfma.EvalConfig(
            model_specs=[
                tfma.ModelSpec(
                    signature_name=COLUMNS_SIGNATURE,
                    prediction_key=SIGNAL_PROBABILITY,
                    label_key=LABEL,
                )
            ],
            slicing_specs=[
                tfma.SlicingSpec(),
                *(
                    tfma.SlicingSpec(feature_keys=[SLICE_PREFIX + column])
                    for column in SLICE_COLUMNS
                ),
            ],
            metrics_specs=[tfma.MetricsSpec(metrics=METRICS)],
        ),
    )


def slice_texts(events: Events) -> dict[str, np.ndarray]:
    """The columns to slice by, as bytes [N]."""
    columns = slice_columns(dict(zip(FEATURES, events.features.T, strict=True)))
    return {SLICE_PREFIX + name: column.astype("S").reshape(-1) for name, column in columns.items()}
