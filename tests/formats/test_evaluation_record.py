import math

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_model_analysis.proto import metrics_for_slice_pb2

from formats.evaluation_record import (
    NO_SCORES,
    SMALL_SLICE,
    Measured,
    Scores,
    describe_evaluation,
    read_metrics,
    read_scores,
)


@pytest.fixture
def scores():
    return Scores(
        np.array([1.0, 2, 3, 4]), np.array([40.0, 30, 20, 10]), np.array([4.0, 12, 14, 12])
    )


def test_events_that_pass_are_those_at_or_above_the_cut(scores):
    signal, background = scores.passing()
    assert signal.tolist() == [10, 9, 7, 4, 0]
    assert background.tolist() == [100, 60, 30, 10, 0]


def test_fewer_bins_hold_the_same_events(scores):
    found = scores.rebinned(2)
    assert found.signal.tolist() == [3, 7]
    assert found.background.tolist() == [70, 30]
    assert found.score_sum.tolist() == [16, 26]


def test_interval_is_about_the_auc_and_within_its_range(make):
    low, high = make.measured(auc=0.8).auc_interval
    assert low < 0.8 < high
    assert high - 0.8 == pytest.approx(0.8 - low)
    assert make.measured(auc=1.0, events=100).auc_interval[1] == 1.0


def test_slices_of_few_events_are_small(make):
    assert make.measured(events=SMALL_SLICE - 2).is_small
    assert not make.measured(events=SMALL_SLICE).is_small


NOTHING, FIRST, LAST = np.zeros(100), np.eye(100)[0], np.eye(100)[99]


@pytest.mark.parametrize(
    ("signal", "background"),
    [
        (NOTHING, 500 * FIRST),
        (500 * LAST, FIRST),
        (500 * LAST, 500 * FIRST),
        (500 * FIRST, 500 * LAST),
        (500 * FIRST, 500 * FIRST),
    ],
    ids=["one class", "one event of a class", "apart", "the wrong way", "one score"],
)
def test_interval_is_unknown_where_no_event_tells_of_it(signal, background):
    measured = Measured("all events", {"auc": 1.0}, Scores(signal, background, NOTHING))
    assert np.isnan(measured.auc_interval).all()


def test_what_was_not_measured_is_not_known():
    measured = Measured("all events", {"example_count": math.nan}, NO_SCORES)
    assert math.isnan(measured.auc)
    assert measured.events is None
    assert not measured.is_small
    assert math.isnan(measured.scores.signal_share)


def test_evaluation_is_read_by_model_and_slice(make, tmp_path):
    values = {"": (make.metrics(0.8), make.scores()), "n = 1": (make.metrics(0.7), make.scores(2))}
    then = {"": (make.metrics(0.75), make.scores(3))}
    make.evaluation_files(tmp_path / "e", {"candidate": values, "baseline": then})
    metrics, scores = read_metrics(str(tmp_path / "e")), read_scores(str(tmp_path / "e"))
    found = describe_evaluation(metrics, scores)
    assert (found.candidate.overall.auc, found.baseline.overall.auc) == (0.8, 0.75)
    assert [(m.name, m.auc) for m in found.candidate.slices] == [("n = 1", 0.7)]
    assert found.baseline.slices == ()
    for counts in ("signal", "background", "score_sum"):
        read, written = (
            getattr(s, counts) for s in (scores["baseline"]["all events"], then[""][1])
        )
        np.testing.assert_allclose(read, written)
    without = describe_evaluation(metrics, {})
    assert without.candidate.overall.scores is NO_SCORES
    assert without.candidate.overall.metrics == found.candidate.overall.metrics


def test_metric_that_failed_is_not_zero(tmp_path):
    result = metrics_for_slice_pb2.MetricsForSlice()
    for name in ("auc", "failed"):
        result.metric_keys_and_values.add().key.name = name
    result.metric_keys_and_values[0].value.double_value.value = 0.8
    result.metric_keys_and_values[1].value.debug_message = "division by zero"
    with tf.io.TFRecordWriter(str(tmp_path / "metrics-00000-of-00001.tfrecord")) as writer:
        writer.write(result.SerializeToString())
    assert read_metrics(str(tmp_path)) == {"": {"all events": {"auc": 0.8}}}
