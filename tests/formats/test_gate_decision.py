"""The gate's decision, from the files of TFMA's Evaluator."""

import pytest
import tensorflow_model_analysis as tfma
from google.protobuf import json_format
from tensorflow_model_analysis.proto import config_pb2

from formats.gate_decision import Check, Verdict, read_verdict


def test_one_model_is_held_against_the_lower_bound(make, tmp_path):
    make.evaluation_files(tmp_path / "e")
    found = read_verdict(str(tmp_path / "e"))
    assert found == Verdict(True, 20_000, 0.8, None, (Check("AUC", 0.8, 0.7),))
    assert found.checks[0].margin == pytest.approx(0.1)


def test_candidate_is_held_against_the_baseline_too(make, tmp_path):
    models = {
        "candidate": {"": (make.metrics(0.75), make.scores())},
        "baseline": {"": (make.metrics(0.8), make.scores())},
    }
    make.evaluation_files(tmp_path / "e", models, passed=False)
    found = read_verdict(str(tmp_path / "e"))
    assert (found.passed, found.auc, found.baseline_auc) == (False, 0.75, 0.8)
    bound, change = found.checks
    assert bound == Check("AUC", 0.75, 0.7)
    assert (change.name, change.limit, change.is_change) == (
        "AUC above the baseline's",
        -0.002,
        True,
    )
    assert change.margin == pytest.approx(-0.048)


def test_model_that_nothing_is_asked_of_passes(make, tmp_path):
    make.evaluation_files(tmp_path / "e", lower_bound=None, passed=False)
    found = read_verdict(str(tmp_path / "e"))
    assert (found.passed, found.checks) == (True, ())


def test_bounds_that_are_not_given_are_not_claimed(make, tmp_path):
    make.evaluation_files(tmp_path / "e")
    config = make.eval_config()
    threshold = config.metrics_specs[0].metrics[0].per_slice_thresholds[0].threshold
    threshold.value_threshold.CopyFrom(tfma.GenericValueThreshold(upper_bound={"value": 0.9}))
    threshold.change_threshold.CopyFrom(tfma.GenericChangeThreshold(relative={"value": 0.1}))
    run = config_pb2.EvalRun(eval_config=config, version="1")
    (tmp_path / "e" / "eval_config.json").write_text(json_format.MessageToJson(run))
    assert read_verdict(str(tmp_path / "e")).checks == ()


def test_verdict_asks_for_no_events_by_score(make, tmp_path):
    make.evaluation_files(tmp_path / "e")
    (tmp_path / "e" / "plots-00000-of-00001.tfrecord").unlink()
    assert read_verdict(str(tmp_path / "e")).auc == 0.8


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("metrics-00000-of-00001.tfrecord", "no metrics in "),
        ("validations.tfrecord", "no decision, for there is no validation in "),
        ("eval_config.json", "no thresholds, for there is no configuration in "),
    ],
)
def test_what_is_missing_is_named(make, tmp_path, file, words):
    make.evaluation_files(tmp_path / "e")
    (tmp_path / "e" / file).unlink()
    with pytest.raises(ValueError, match=words):
        read_verdict(str(tmp_path / "e"))


def test_evaluation_without_an_auc_gives_no_verdict(make, tmp_path):
    metrics = make.metrics()
    del metrics["auc"]
    make.evaluation_files(tmp_path / "e", {"": {"": (metrics, make.scores())}})
    with pytest.raises(ValueError, match="no AUC, or no number of events, in "):
        read_verdict(str(tmp_path / "e"))
