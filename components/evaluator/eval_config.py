"""TFMA's configuration: what is measured, on which slices, and what gates the push."""

import json
from collections.abc import Sequence

import tensorflow_model_analysis as tfma

from components.evaluator.slices import SLICE_COLUMNS
from formats.evaluation_record import AUC
from formats.features import LABEL
from pipeline.config import EvaluationConfig

METRICS_MODULE = "components.evaluator.metrics"
SIGNATURE = "score_columns"
PREDICTION = "signal_probability"


def eval_config(config: EvaluationConfig | None) -> tfma.EvalConfig:
    """Metrics, slices and thresholds of a run; without a configuration nothing is gated.

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
        # TFMA's own counts extracts, of which there is one a batch here.
        options=tfma.Options(include_default_metrics={"value": False}),
    )


def _metrics(config: EvaluationConfig | None, overall: tfma.SlicingSpec) -> list[tfma.MetricConfig]:
    thresholds = [_auc_threshold(config)] if config else []
    gates = [
        tfma.PerSliceMetricThreshold(slicing_specs=[overall], threshold=threshold)
        for threshold in thresholds
    ]
    return [
        _metric("EventCount"),
        _metric("RocAuc", per_slice_thresholds=gates, name=AUC),
        _metric("Accuracy"),
        _metric("LogLoss"),
        _metric("BackgroundRejection", signal_efficiency=0.5),
        _metric("MaximalSignificance"),
        _metric("ExpectedCalibrationError"),
        _metric("ScoreCalibration"),
        _metric("ScoreConfusion"),
    ]


def _metric(
    class_name: str,
    per_slice_thresholds: Sequence[tfma.PerSliceMetricThreshold] = (),
    **settings: str | float,
) -> tfma.MetricConfig:
    return tfma.MetricConfig(
        class_name=class_name,
        module=METRICS_MODULE,
        config=json.dumps(settings),
        per_slice_thresholds=per_slice_thresholds,
    )


def _auc_threshold(config: EvaluationConfig) -> tfma.MetricThreshold:
    return tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={"value": config.auc_lower_bound}),
        change_threshold=tfma.GenericChangeThreshold(
            direction=tfma.MetricDirection.HIGHER_IS_BETTER,
            absolute={"value": -config.auc_max_drop},
        ),
    )
