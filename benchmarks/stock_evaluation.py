"""The peer of the Evaluator: the stock node, TFMA's own classes and extractors.

Slices are the usual way: the few-valued columns that are sliced by are columns of
the examples themselves.
"""

import json

import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics.binary_confusion_matrices import Matrices
from tensorflow_model_analysis.metrics.confusion_matrix_metrics import ConfusionMatrixMetricBase
from tensorflow_model_analysis.metrics.metric_types import MetricKey
from tfx import v1 as tfx
from tfx.dsl.components.base.base_node import BaseNode
from tfx.types.standard_artifacts import Examples, Model

from components.example_gen.records import Events
from models.features import FEATURES, LABEL
from models.network import OUTPUT
from pipeline.evaluation.slices import SLICE_COLUMNS, slice_columns

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
    tfma.MetricConfig(class_name="CalibrationPlot"),
    tfma.MetricConfig(class_name="ConfusionMatrixPlot"),
]


class StockBackgroundRejection(ConfusionMatrixMetricBase):
    """The one metric that TFMA has not, on the histogram that stock AUC shares."""

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


def node() -> BaseNode:
    """The node; TFMA's own classes but for the one metric that it has not."""
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
