"""TFMA's configuration: what is measured, on which slices, and what gates the push."""

import json

import tensorflow_model_analysis as tfma

from models.features import LABEL
from pipeline.config import EvaluationConfig
from pipeline.evaluation.slices import SLICE_COLUMNS

SIGNATURE = "score_columns"
PREDICTION = "signal_probability"

AUC = "auc"
"""The metric that gates; its name in TFMA's results."""


def eval_config(config: EvaluationConfig) -> tfma.EvalConfig:
    """Metrics, slices and thresholds of a run.

    The thresholds are bound to the overall slice: TFMA would otherwise hold
    every slice to them. The value threshold must be there for a model to be
    blessed at all; the change threshold is skipped while there is no baseline.
    """
    overall = tfma.SlicingSpec()
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(signature_name=SIGNATURE, prediction_key=PREDICTION, label_key=LABEL)
        ],
        slicing_specs=[overall, *(tfma.SlicingSpec(feature_keys=[c]) for c in SLICE_COLUMNS)],
        metrics_specs=[tfma.MetricsSpec(metrics=_metrics(config, overall))],
    )


def _metrics(config: EvaluationConfig, overall: tfma.SlicingSpec) -> list[tfma.MetricConfig]:
    return [
        tfma.MetricConfig(class_name="ExampleCount"),
        tfma.MetricConfig(
            class_name="AUC",
            config=json.dumps({"name": AUC}),
            per_slice_thresholds=[
                tfma.PerSliceMetricThreshold(
                    slicing_specs=[overall], threshold=_auc_threshold(config)
                )
            ],
        ),
        tfma.MetricConfig(class_name="BinaryAccuracy"),
        tfma.MetricConfig(class_name="BinaryCrossentropy"),
        tfma.MetricConfig(
            class_name="BackgroundRejection",
            module="pipeline.evaluation.metrics",
            config=json.dumps({"signal_efficiency": 0.5}),
        ),
        tfma.MetricConfig(class_name="CalibrationPlot"),
        tfma.MetricConfig(class_name="ConfusionMatrixPlot"),
    ]


def _auc_threshold(config: EvaluationConfig) -> tfma.MetricThreshold:
    return tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={"value": config.auc_lower_bound}),
        change_threshold=tfma.GenericChangeThreshold(
            direction=tfma.MetricDirection.HIGHER_IS_BETTER,
            absolute={"value": -config.auc_max_drop},
        ),
    )
