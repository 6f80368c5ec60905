"""The gate's decision, from the files of TFMA's Evaluator."""

import json
import math

import pytest
import tensorflow_model_analysis as tfma
from google.protobuf import json_format
from tensorflow_model_analysis.proto import config_pb2

from formats.evaluation_record import Z_95
from formats.gate_decision import GateDecision, ThresholdCheck, read_decision
from formats.gate_metrics import error_of


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "evaluation"


def test_single_model_is_compared_with_the_lower_bound(make, folder):
    make.evaluation_files(folder)
    decision = read_decision(str(folder))
    (bound,) = decision.checks
    assert bound == ThresholdCheck("AUC", 0.8, 0.7, interval=bound.interval)
    assert bound.interval == pytest.approx((0.79446, 0.80554), abs=1e-5)
    assert decision == GateDecision(True, 20_000, 0.8, None, (bound,))
    assert decision.checks[0].margin == pytest.approx(0.1)


def test_candidate_is_compared_with_the_baseline_too(make, folder):
    models = {
        "candidate": {"": (make.metrics(0.75), make.scores())},
        "baseline": {"": (make.metrics(0.8), make.scores())},
    }
    make.evaluation_files(folder, models, passed=False)
    decision = read_decision(str(folder))
    assert (decision.passed, decision.auc, decision.baseline_auc) == (False, 0.75, 0.8)
    bound, change = decision.checks
    assert (bound.name, bound.value, bound.limit) == ("AUC", 0.75, 0.7)
    assert (change.name, change.limit, change.is_change) == (
        "difference in AUC",
        -0.002,
        True,
    )
    assert change.margin == pytest.approx(-0.048)


def test_number_of_events_is_compared_with_its_bound(make, folder):
    make.evaluation_files(folder, least_events=30_000, passed=False)
    count, bound = read_decision(str(folder)).checks
    assert count == ThresholdCheck("events", 20_000.0, 30_000.0, is_count=True)
    assert (count.margin, count.passed) == (-10_000, False)
    assert bound.passed


@pytest.mark.parametrize("undefined", ["candidate", "baseline"])
def test_undefined_auc_cannot_be_compared_and_says_why(make, folder, undefined):
    one_class = make.metrics(math.nan) | {"signal_count": 20_000.0}
    models = {
        model: {"": (one_class if model == undefined else make.metrics(0.8), make.scores())}
        for model in ("candidate", "baseline")
    }
    make.evaluation_files(folder, models, passed=False)
    decision = read_decision(str(folder))
    bound, change = decision.checks
    assert math.isnan(change.margin)
    assert not change.passed
    reason = "all 20,000 events are signal"
    if undefined == "candidate":
        assert (decision.auc_fault, bound.fault, change.fault) == (reason, reason, reason)
        assert not bound.passed
    else:
        assert (decision.auc_fault, bound.fault, change.fault) == ("", "", f"baseline: {reason}")
        assert bound.passed


@pytest.mark.parametrize("is_upper", [False, True])
def test_a_value_at_the_limit_passes(is_upper):
    assert ThresholdCheck("AUC", 0.75, 0.75, is_upper=is_upper).passed
    assert not ThresholdCheck("AUC", math.nan, 0.75, is_upper=is_upper).passed


def compare(
    make, folder, *, change, bound, clear=None, error=0.004, passed=False, when_undecided="refuse"
):
    models = {
        "candidate": {"": (make.metrics(0.8 + change), make.scores())},
        "baseline": {"": (make.metrics(0.8), make.scores())},
    }
    changes = {
        "auc": change,
        "auc_change_standard_error": error,
        "auc_change_lower_bound": bound,
    } | ({} if clear is None else {"auc_change_clear_lower_bound": clear})
    make.evaluation_files(
        folder, models, passed=passed, changes=changes, when_undecided=when_undecided
    )
    return read_decision(str(folder))


def test_change_has_its_interval_and_its_lower_bound(make, folder):
    decision = compare(make, folder, change=0.01, bound=0.01 - 1.644854 * 0.004, passed=True)
    *_, change, bound = decision.checks
    assert change.interval == pytest.approx((0.01 - 0.00784, 0.01 + 0.00784), abs=1e-6)
    assert bound.name == "difference in AUC, 95 % lower bound"
    assert (bound.value, bound.limit) == (pytest.approx(0.00342, abs=1e-5), -0.002)
    assert bound.passed
    assert (decision.passed, decision.is_undecided, decision.keeps_baseline) == (True, False, False)


def test_bound_that_misses_says_how_many_events_or_which_limit_would_do(make, folder):
    # The distance of 0.004 must become 0.002, on four times as many events.
    decision = compare(make, folder, change=0.0, bound=-0.004)
    bound = decision.checks[-1]
    assert bound.undecided == (
        "about 80,000 eval events instead of 20,000, or evaluation.auc_max_drop 0.0040, would "
        "decide"
    )
    assert (decision.is_undecided, decision.keeps_baseline) == (True, False)


def test_clear_bound_is_compared_with_twice_the_drop(make, folder):
    # The standard error is 0.002: the 95 % bound passes, that of 99.9 % does not.
    decision = compare(make, folder, change=0.0013, bound=-0.00199, clear=-0.00488)
    near, clear = decision.checks[-2:]
    assert (near.passed, near.undecided) == (True, "")
    assert clear.name == "difference in AUC, 99.9 % lower bound"
    assert (clear.value, clear.limit) == (-0.00488, -0.004)
    assert clear.undecided == (
        "about 28,000 eval events instead of 20,000, or evaluation.auc_max_drop 0.0025, would "
        "decide"
    )
    assert decision.is_undecided


def test_change_at_the_limit_is_decided_by_no_number_of_events(make, folder):
    bound = compare(make, folder, change=-0.002 + 1e-9, bound=-0.004).checks[-1]
    assert bound.undecided == "evaluation.auc_max_drop 0.0040 would decide"


def test_undecided_comparison_can_keep_the_baseline(make, folder):
    decision = compare(make, folder, change=0.0, bound=-0.004, when_undecided="keep-baseline")
    assert decision.keeps_baseline


@pytest.mark.parametrize("when_undecided", ["refuse", "keep-baseline"])
def test_change_below_the_limit_is_decided(make, folder, when_undecided):
    decision = compare(make, folder, change=-0.01, bound=-0.02, when_undecided=when_undecided)
    assert not decision.is_undecided
    assert decision.checks[-1].undecided == ""


def test_bound_without_an_error_is_undefined(make, folder):
    decision = compare(make, folder, change=0.0, bound=math.nan, error=math.nan)
    bound = decision.checks[-1]
    assert (bound.passed, bound.undecided) == (False, "")
    assert bound.fault == "its error needs at least two events of each class"
    assert not decision.is_undecided


def test_model_without_thresholds_passes(make, folder):
    make.evaluation_files(folder, lower_bound=None, passed=False)
    decision = read_decision(str(folder))
    assert (decision.passed, decision.checks) == (True, ())


def write_threshold(make, folder, metric, threshold, *slice_values, values=None, **settings):
    """Evaluation of two models whose first metric has another threshold on a slice."""
    models = {
        model: {
            "": (make.metrics(auc) | (values or {}), make.scores()),
            "n_b_tags = 2": (make.metrics(auc - 0.1, events=400), make.scores()),
        }
        for model, auc in (("candidate", 0.8), ("baseline", 0.79))
    }
    make.evaluation_files(folder, models, passed=False)
    config = make.eval_config()
    metric_config = config.metrics_specs[0].metrics[1]
    metric_config.config = json.dumps({"name": metric, **settings})
    gate = metric_config.per_slice_thresholds[0]
    gate.threshold.CopyFrom(threshold)
    gate.slicing_specs[0].CopyFrom(tfma.SlicingSpec(feature_values=dict(slice_values)))
    # As with two gates that have the same limit.
    metric_config.per_slice_thresholds.append(gate)
    run = config_pb2.EvalRun(eval_config=config, version="1")
    (folder / "eval_config.json").write_text(json_format.MessageToJson(run))
    return read_decision(str(folder)).checks


def test_upper_bound_is_passed_from_below(make, folder):
    bound = tfma.GenericValueThreshold(upper_bound={"value": 0.02})
    threshold = tfma.MetricThreshold(value_threshold=bound)
    (check,) = write_threshold(make, folder, "expected_calibration_error", threshold)
    assert check == ThresholdCheck("calibration error", 0.01, 0.02, is_upper=True)
    assert (check.margin, check.passed, check.requirement) == (0.01, True, "at most")


def test_metric_of_which_less_is_better_is_compared_with_the_baseline(make, folder):
    change = tfma.GenericChangeThreshold(
        direction=tfma.MetricDirection.LOWER_IS_BETTER, absolute={"value": 0.001}
    )
    threshold = tfma.MetricThreshold(change_threshold=change)
    (check,) = write_threshold(make, folder, "binary_crossentropy", threshold)
    assert check.name == "difference in log loss"
    assert (check.value, check.limit, check.is_upper, check.passed) == (0.0, 0.001, True, True)


def test_a_change_has_an_interval_that_ignores_that_both_scored_the_same_events(make, folder):
    change = tfma.GenericChangeThreshold(
        direction=tfma.MetricDirection.HIGHER_IS_BETTER, absolute={"value": -1.0}
    )
    threshold = tfma.MetricThreshold(change_threshold=change)
    name = "background_rejection"
    values = {name: 20.0, error_of(name): 1.0}
    (check,) = write_threshold(make, folder, name, threshold, values=values)
    # Of both models: 20 divided and multiplied by this factor.
    factor = math.exp(Z_95 * 1.0 / 20.0)
    error = math.hypot(20 - 20 / factor, 20 * factor - 20)
    assert check.interval == pytest.approx((-error, error))
    assert (check.value, check.method) == (0.0, "Newcombe 1998")


@pytest.mark.parametrize(
    ("rejection", "margin", "fault"),
    [(100.0, 90.0, ""), (math.inf, math.inf, ""), (math.nan, math.nan, "it was not measured")],
)
def test_infinite_value_is_above_every_limit(make, folder, rejection, margin, fault):
    bound = tfma.GenericValueThreshold(lower_bound={"value": 10.0})
    threshold = tfma.MetricThreshold(value_threshold=bound)
    name = "background_rejection"
    (check,) = write_threshold(make, folder, name, threshold, values={name: rejection})
    assert check.margin == pytest.approx(margin, nan_ok=True)
    assert (check.passed, check.fault) == (not fault, fault)


def test_difference_of_infinite_values_decides_nothing(make, folder):
    change = tfma.GenericChangeThreshold(
        direction=tfma.MetricDirection.HIGHER_IS_BETTER, absolute={"value": -1.0}
    )
    threshold = tfma.MetricThreshold(change_threshold=change)
    name = "background_rejection"
    (check,) = write_threshold(make, folder, name, threshold, values={name: math.inf})
    assert (check.passed, check.undecided, check.fault) == (False, "", "both values are infinite")


def test_gate_on_a_slice_takes_its_values(make, folder):
    bound = tfma.GenericValueThreshold(lower_bound={"value": 0.75})
    threshold = tfma.MetricThreshold(value_threshold=bound)
    (check,) = write_threshold(make, folder, "auc", threshold, ("n_b_tags", "2"))
    assert (check.name, check.limit, check.passed) == ("AUC (n_b_tags = 2)", 0.75, False)
    assert check.value == pytest.approx(0.7)
    assert check.interval[0] < 0.7 < check.interval[1]


def test_gate_on_a_slice_without_events_decides_nothing(make, folder):
    bound = tfma.GenericValueThreshold(lower_bound={"value": 5.0})
    threshold = tfma.MetricThreshold(value_threshold=bound)
    settings = {"signal_efficiency": 0.7}
    (check,) = write_threshold(
        make, folder, "background_rejection_at_0.7", threshold, ("n_b_tags", "4"), **settings
    )
    assert check.name == "background rejection at 0.7 (n_b_tags = 4)"
    assert (check.passed, check.fault) == (False, "there are no events")


def test_relative_changes_are_not_reported(make, folder):
    change = tfma.GenericChangeThreshold(relative={"value": 0.1})
    threshold = tfma.MetricThreshold(change_threshold=change)
    assert write_threshold(make, folder, "auc", threshold) == ()


def test_decision_does_not_need_the_score_histograms(make, folder):
    make.evaluation_files(folder)
    (folder / "plots-00000-of-00001.tfrecord").unlink()
    assert read_decision(str(folder)).auc == 0.8


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("metrics-00000-of-00001.tfrecord", "no metrics in "),
        ("validations.tfrecord", "no decision, because there is no validation in "),
        ("eval_config.json", "no thresholds, because there is no configuration in "),
    ],
)
def test_missing_file_is_named(make, folder, file, message):
    make.evaluation_files(folder)
    (folder / file).unlink()
    with pytest.raises(ValueError, match=message):
        read_decision(str(folder))


def test_evaluation_without_an_auc_has_no_decision(make, folder):
    metrics = make.metrics()
    del metrics["auc"]
    make.evaluation_files(folder, {"": {"": (metrics, make.scores())}})
    with pytest.raises(ValueError, match="no AUC, or no number of events, in "):
        read_decision(str(folder))
