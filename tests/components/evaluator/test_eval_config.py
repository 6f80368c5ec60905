import dataclasses
import json
import math

import pytest
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.evaluators.metrics_validator import validate_metrics
from tensorflow_model_analysis.metrics.metric_types import MetricKey

from components.evaluator.eval_config import AucThresholds, eval_config
from components.evaluator.slices import SLICE_COLUMNS
from formats.gate_metrics import GATE_METRICS, SLICE_VALUES, MetricGate

THRESHOLDS = AucThresholds(
    lower_bound=0.8, max_drop=0.01, least_events=500, confidence=0.9, when_undecided="refuse"
)

BOUND, CLEAR_BOUND = "auc_change_lower_bound", "auc_change_clear_lower_bound"


def test_auc_and_events_gate_the_overall_slice_alone():
    config = eval_config(THRESHOLDS)
    (spec,) = config.metrics_specs
    gated = [metric for metric in spec.metrics if metric.per_slice_thresholds]
    assert [metric.class_name for metric in gated] == [
        "EventCount",
        "RocAuc",
        "AucChangeLowerBound",
        "AucChangeClearBound",
    ]
    (counted,), (sliced,), (bounded,), (cleared,) = [m.per_slice_thresholds for m in gated]
    for gate in (counted, sliced, bounded, cleared):
        assert list(gate.slicing_specs) == [tfma.SlicingSpec()]
    assert counted.threshold.value_threshold.lower_bound.value == 500
    assert sliced.threshold.value_threshold.lower_bound.value == 0.8
    assert sliced.threshold.change_threshold.absolute.value == -0.01
    assert bounded.threshold.change_threshold == sliced.threshold.change_threshold
    assert cleared.threshold.change_threshold.absolute.value == -0.02
    for metric, name in zip(gated[2:], ("", "clear_"), strict=True):
        assert not metric.per_slice_thresholds[0].threshold.HasField("value_threshold")
        assert json.loads(metric.config) == {
            "name": f"auc_change_{name}lower_bound",
            "confidence": 0.9,
            "when_undecided": "refuse",
        }
    assert not any(metric.HasField("threshold") for metric in spec.metrics)


@pytest.mark.parametrize(
    ("auc", "events", "change", "bound", "clear", "failures"),
    [
        (0.85, 500, 0.0, -0.005, -0.01, []),
        (0.85, 499, 0.0, -0.005, -0.01, ["example_count"]),
        (math.nan, 500, math.nan, math.nan, math.nan, ["auc", "auc", BOUND, CLEAR_BOUND]),
        (0.85, 500, 0.0, -0.015, -0.019, [BOUND]),
        (0.85, 500, 0.0, -0.009, -0.021, [CLEAR_BOUND]),
        (0.85, 500, -0.02, -0.03, -0.04, ["auc", BOUND, CLEAR_BOUND]),
        (0.0, 500, 0.0, 0.0, 0.0, ["auc"]),
    ],
    ids=["good", "few events", "one class", "undecided", "clearly undecided", "worse", "worst"],
)
def test_tfma_blesses_only_what_is_decided(auc, events, change, bound, clear, failures):
    config = tfma.utils.update_eval_config_with_defaults(
        eval_config(THRESHOLDS),
        has_baseline=True,
        rubber_stamp=False,
    )
    key = MetricKey("auc", model_name="candidate")
    values = {
        MetricKey("example_count", model_name="candidate"): float(events),
        key: auc,
        key.make_diff_key(): change,
        key.make_diff_key()._replace(name=BOUND): bound,
        key.make_diff_key()._replace(name=CLEAR_BOUND): clear,
    }
    result = validate_metrics(((), values), config)
    assert result.validation_ok == (not failures)
    failed = [f.metric_key.name for v in result.metric_validations_per_slice for f in v.failures]
    assert failed == failures


def test_lower_bound_does_not_gate_where_undecided_models_are_pushed():
    config = eval_config(dataclasses.replace(THRESHOLDS, when_undecided="push"))
    (spec,) = config.metrics_specs
    gated = [metric.class_name for metric in spec.metrics if metric.per_slice_thresholds]
    assert gated == ["EventCount", "RocAuc"]


GATES = (
    MetricGate("background_rejection", at_least=20.0, signal_efficiency=0.7),
    MetricGate("expected_calibration_error", at_most=0.02, max_drop=0.005),
    MetricGate("auc", (("n_b_tags", "2"),), at_least=0.75, max_drop=0.01),
)


def test_each_gate_is_a_threshold_of_its_metric_and_slice():
    (spec,) = eval_config(THRESHOLDS, GATES).metrics_specs
    gates = {
        (json.loads(metric.config)["name"], *gate.slicing_specs[0].feature_values.values()): (
            gate.threshold
        )
        for metric in spec.metrics
        for gate in metric.per_slice_thresholds
    }
    assert set(gates) == {
        ("example_count",),
        ("example_count", "2"),
        ("auc",),
        ("auc", "2"),
        ("auc_change_lower_bound",),
        ("auc_change_lower_bound", "2"),
        ("auc_change_clear_lower_bound",),
        ("auc_change_clear_lower_bound", "2"),
        ("background_rejection_at_0.7",),
        ("expected_calibration_error",),
    }
    assert sum(len(metric.per_slice_thresholds) for metric in spec.metrics) == len(gates)
    assert gates["example_count", "2"].value_threshold.lower_bound.value == 500
    assert gates["auc", "2"].value_threshold.lower_bound.value == 0.75
    assert gates["auc", "2"].change_threshold.absolute.value == -0.01
    assert gates["auc_change_lower_bound", "2"].change_threshold.absolute.value == -0.01
    assert gates["auc_change_clear_lower_bound", "2"].change_threshold.absolute.value == -0.02
    assert gates[("background_rejection_at_0.7",)].value_threshold.lower_bound.value == 20
    calibration = gates[("expected_calibration_error",)]
    assert calibration.value_threshold.upper_bound.value == 0.02
    assert not calibration.value_threshold.HasField("lower_bound")
    assert calibration.change_threshold.absolute.value == 0.005
    assert calibration.change_threshold.direction == tfma.MetricDirection.LOWER_IS_BETTER


def test_every_gate_metric_is_measured_and_every_slice_has_its_column():
    (spec,) = eval_config(None).metrics_specs
    assert {*GATE_METRICS} <= {json.loads(m.config).get("name") for m in spec.metrics}
    assert tuple(SLICE_VALUES) == SLICE_COLUMNS


def test_nothing_is_gated_without_thresholds():
    (spec,) = eval_config(None).metrics_specs
    assert not any(metric.per_slice_thresholds for metric in spec.metrics)


def test_slices_are_overall_and_each_b_tag_column():
    config = eval_config(None)
    keys = [tuple(spec.feature_keys) for spec in config.slicing_specs]
    assert keys == [(), *((column,) for column in SLICE_COLUMNS)]


def test_requested_metrics():
    (spec,) = eval_config(None).metrics_specs
    assert [metric.class_name for metric in spec.metrics] == [
        "EventCount",
        "SignalCount",
        "RocAuc",
        "AucStandardError",
        "AucChangeError",
        "AucChangeLowerBound",
        "AucChangeClearBound",
        "Accuracy",
        "LogLoss",
        "LogLossError",
        "BackgroundRejection",
        "RejectionError",
        "MaximalSignificance",
        "SignificanceError",
        "ExpectedCalibrationError",
        "ScoreCalibration",
        "ScoreConfusion",
    ]
    assert {metric.module for metric in spec.metrics} == {"components.evaluator.metrics"}
