import math
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from report_parts import binned_scores
from tensorflow_model_analysis.proto import metrics_for_slice_pb2

from formats.evaluation_record import (
    NO_SCORES,
    OVERALL,
    ScoreCuts,
    SliceEvaluation,
    join_evaluation,
    read_metrics,
    read_scores,
)


@pytest.fixture
def scores():
    return binned_scores(
        np.array([1.0, 2, 3, 4]), np.array([40.0, 30, 20, 10]), np.array([4.0, 12, 14, 12])
    )


def test_merged_bins_hold_the_same_events(scores):
    merged = scores.rebinned(2)
    assert merged.signal.tolist() == [3, 7]
    assert merged.background.tolist() == [70, 30]
    assert merged.score_sum.tolist() == [16, 26]


def test_interval_is_symmetric_and_within_its_range(make):
    low, high = make.slice(auc=0.8).auc_interval
    assert low < 0.8 < high
    assert high - 0.8 == pytest.approx(0.8 - low)
    assert make.slice(auc=1.0, events=100).auc_interval[1] == 1.0


def test_slices_of_few_events_are_small(make):
    assert make.slice(events=998).is_small
    assert not make.slice(events=1000).is_small


@pytest.mark.parametrize("error", [math.nan, 0.0, None], ids=["undefined", "zero", "missing"])
def test_interval_is_undefined_without_an_estimate_of_the_error(make, error):
    metrics = make.metrics() | {"auc_standard_error": error}
    if error is None:
        del metrics["auc_standard_error"]
    assert np.isnan(SliceEvaluation(OVERALL, metrics, NO_SCORES).auc_interval).all()


@pytest.mark.parametrize(
    ("events", "signal", "reason"),
    [
        (0, 0, "there are no events"),
        (1, 0, "the only event is background"),
        (1, 1, "the only event is signal"),
        (1500, 0, "all 1,500 events are background"),
        (1500, 1500, "all 1,500 events are signal"),
        (1500, 700, "some scores are not numbers, or too many are too close to each other"),
    ],
)
def test_undefined_auc_has_a_reason(make, events, signal, reason):
    metrics = make.metrics(auc=math.nan, events=max(events, 1))
    metrics |= {"example_count": float(events), "signal_count": float(signal)}
    assert SliceEvaluation(OVERALL, metrics, NO_SCORES).auc_fault.startswith(reason)


def test_defined_auc_needs_no_reason(make):
    assert make.slice().auc_fault == ""


def test_missing_metrics_are_unknown():
    evaluation = SliceEvaluation(OVERALL, {"example_count": math.nan}, NO_SCORES)
    assert math.isnan(evaluation.auc)
    assert evaluation.auc_fault == "it was not measured"
    assert evaluation.events is None
    assert not evaluation.is_small
    assert math.isnan(evaluation.scores.signal_share)


def test_evaluation_is_read_by_model_and_slice(make, tmp_path):
    folder = tmp_path / "evaluation"
    candidate = {
        "": (make.metrics(0.8), make.scores()),
        "n = 1": (make.metrics(0.7), make.scores(2)),
    }
    baseline = {"": (make.metrics(0.75), make.scores(3))}
    make.evaluation_files(folder, {"candidate": candidate, "baseline": baseline})
    metrics, scores = read_metrics(str(folder)), read_scores(str(folder))
    evaluation = join_evaluation(metrics, scores)
    assert (evaluation.candidate.overall.auc, evaluation.baseline.overall.auc) == (0.8, 0.75)
    assert [(row.name, row.auc) for row in evaluation.candidate.slices] == [("n = 1", 0.7)]
    assert evaluation.baseline.slices == ()
    _, written = baseline[""]
    np.testing.assert_allclose(scores["baseline"][OVERALL].signal, written.signal)
    np.testing.assert_allclose(scores["baseline"][OVERALL].background, written.background)
    np.testing.assert_allclose(scores["baseline"][OVERALL].score_sum, written.score_sum)
    for field in ("thresholds", "signal", "background"):
        read, expected = (getattr(s.cuts, field) for s in (scores["baseline"][OVERALL], written))
        np.testing.assert_array_equal(read, expected)
    assert list(scores["candidate"]) == [OVERALL]
    without_scores = join_evaluation(metrics, {})
    assert without_scores.candidate.overall.scores is NO_SCORES
    assert without_scores.candidate.overall.metrics == evaluation.candidate.overall.metrics


def test_failed_metric_is_absent(tmp_path):
    result = metrics_for_slice_pb2.MetricsForSlice()
    for name in ("auc", "failed"):
        result.metric_keys_and_values.add().key.name = name
    result.metric_keys_and_values[0].value.double_value.value = 0.8
    result.metric_keys_and_values[1].value.debug_message = "division by zero"
    with tf.io.TFRecordWriter(str(tmp_path / "metrics-00000-of-00001.tfrecord")) as writer:
        writer.write(result.SerializeToString())
    assert read_metrics(str(tmp_path)) == {"": {OVERALL: {"auc": 0.8}}}


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({"stranger": ("",)}, "no candidate was evaluated, but 'stranger'"),
        ({"": ("n = 2",)}, "no slice of all events, only n = 2"),
    ],
)
def test_evaluation_without_the_candidate_on_all_events_is_rejected(
    make, tmp_path, models, message
):
    values = make.metrics(), make.scores()
    files = {model: dict.fromkeys(slices, values) for model, slices in models.items()}
    make.evaluation_files(tmp_path / "evaluation", files)
    with pytest.raises(ValueError, match=message):
        join_evaluation(read_metrics(str(tmp_path / "evaluation")), {})


@pytest.mark.parametrize(
    ("bins", "count", "message"),
    [
        (1, 1.0, "all events: 1 bins of the score, which is not a multiple of 100"),
        (150, 1.0, "all events: 150 bins"),
        (100, math.nan, "all events: not every count of events by score is finite"),
    ],
)
def test_invalid_score_histograms_are_rejected(make, tmp_path, bins, count, message):
    scores = binned_scores(*(np.full(bins, count) for _ in range(3)))
    make.evaluation_files(tmp_path / "evaluation", {"": {"": (make.metrics(), scores)}})
    with pytest.raises(ValueError, match=message):
        read_scores(str(tmp_path / "evaluation"))


@pytest.mark.parametrize("thresholds", [(0.0, 0.5, 0.5), (0.0, 0.5, 0.25)])
def test_cuts_that_fall_are_rejected(make, tmp_path, thresholds):
    cuts = ScoreCuts(np.array(thresholds), np.array([4.0, 2.0, 1.0]), np.array([4.0, 1.0, 0.0]))
    scores = replace(binned_scores(*(np.ones(100) for _ in range(3))), cuts=cuts)
    make.evaluation_files(tmp_path / "evaluation", {"": {"": (make.metrics(), scores)}})
    if thresholds[2] < thresholds[1]:
        with pytest.raises(ValueError, match="all events: no events by rising cuts on the score"):
            read_scores(str(tmp_path / "evaluation"))
    else:
        read = read_scores(str(tmp_path / "evaluation"))[""][OVERALL].cuts
        assert read.thresholds.tolist() == [*thresholds]
        assert read.signal.tolist() == [4, 2, 1]
        assert read.background.tolist() == [4, 1, 0]


def test_interval_of_each_metric_is_its_own():
    metrics = {
        "binary_accuracy": 0.8,
        "example_count": 100.0,
        "background_rejection": 20.0,
        "background_rejection_standard_error": 2.0,
        "background_rejection_at_0.7": math.inf,
        "binary_crossentropy": 0.5,
        "binary_crossentropy_standard_error": 0.01,
        "expected_calibration_error": 0.01,
        "expected_calibration_error_standard_error": 0.02,
    }
    interval = SliceEvaluation("all events", metrics, NO_SCORES).interval
    # statsmodels.stats.proportion.proportion_confint(80, 100, method="wilson")
    assert interval("binary_accuracy") == pytest.approx((0.711170, 0.866633), abs=1e-5)
    factor = math.exp(1.959964 * 2 / 20)
    assert interval("background_rejection") == pytest.approx((20 / factor, 20 * factor))
    assert interval("binary_crossentropy") == pytest.approx((0.4804004, 0.5195996))
    assert interval("expected_calibration_error") == pytest.approx((0.0, 0.0491993))
    for undefined in ("background_rejection_at_0.7", "maximal_significance", "auc"):
        assert all(map(math.isnan, interval(undefined)))
