import tensorflow_model_analysis as tfma

from components.evaluator.eval_config import AucThresholds, eval_config
from components.evaluator.slices import SLICE_COLUMNS


def test_auc_gates_the_overall_slice_alone():
    config = eval_config(AucThresholds(lower_bound=0.8, max_drop=0.01))
    (spec,) = config.metrics_specs
    gated = [metric for metric in spec.metrics if metric.per_slice_thresholds]
    assert [metric.class_name for metric in gated] == ["RocAuc"]
    ((sliced,),) = [metric.per_slice_thresholds for metric in gated]
    assert list(sliced.slicing_specs) == [tfma.SlicingSpec()]
    assert sliced.threshold.value_threshold.lower_bound.value == 0.8
    assert sliced.threshold.change_threshold.absolute.value == -0.01
    assert not any(metric.HasField("threshold") for metric in spec.metrics)


def test_nothing_is_gated_without_thresholds():
    (spec,) = eval_config(None).metrics_specs
    assert not any(metric.per_slice_thresholds for metric in spec.metrics)


def test_slices_are_overall_and_each_b_tag_column():
    config = eval_config(None)
    keys = [tuple(spec.feature_keys) for spec in config.slicing_specs]
    assert keys == [(), *((column,) for column in SLICE_COLUMNS)]


def test_metrics_asked_for():
    (spec,) = eval_config(None).metrics_specs
    assert [metric.class_name for metric in spec.metrics] == [
        "EventCount",
        "RocAuc",
        "Accuracy",
        "LogLoss",
        "BackgroundRejection",
        "MaximalSignificance",
        "ExpectedCalibrationError",
        "ScoreCalibration",
        "ScoreConfusion",
    ]
    assert {metric.module for metric in spec.metrics} == {"components.evaluator.metrics"}
