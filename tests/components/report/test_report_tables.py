import dataclasses
import math

import numpy as np
import pytest

from components.report import report_tables
from components.report.report_data import ReportData
from formats.evaluation_record import Scores
from formats.run_outcome import NodeRun, Output, RunOutcome, RunRecord
from formats.training_record import parse_training


def test_cuts_are_taken_where_they_say(make):
    scores = make.scores()
    working, half, best = report_tables.cuts(scores)
    signal, background = scores.passing()
    assert working.score == 0.5
    assert working.signal_efficiency == signal[50] / signal[0]
    assert working.background_efficiency == background[50] / background[0]
    assert working.purity == signal[50] / (signal[50] + background[50])
    assert half.signal_efficiency >= 0.5
    assert half.signal_efficiency == pytest.approx(0.5, abs=0.02)
    assert best.median == max(cut.median for cut in (working, half, best))
    assert working.rejection == pytest.approx(1 / working.background_efficiency)


def test_slices_stand_beside_the_baselines(make):
    rows = report_tables.slice_rows(make.evaluation(baseline=0.79))
    assert [row.measured.name for row in rows] == ["all events", "n_b_tags = 1", "n_b_tags = 2"]
    assert rows[0].change == pytest.approx(0.01)
    assert rows[0].measured.scores.signal_share == pytest.approx(0.5)
    assert report_tables.slice_rows(make.evaluation())[0].change is None


def test_facts_of_a_run(make):
    facts = report_tables.run_facts(make.report())
    assert facts["Model version"] == "17"
    assert facts["Model path"] == "/serving/17"
    assert facts["Strategy"] == "8 x TPU"
    assert facts["Precision"] == "mixed_bfloat16"
    assert facts["Events"] == "1,000 train, 500 eval"
    assert facts["Started"] == "2027-01-15 08:00:00 UTC"
    assert facts["Time of all nodes"] == "6.0 s"


def test_what_is_not_known_is_said_to_be_unknown():
    facts = report_tables.run_facts(ReportData(RunOutcome("", {})))
    known = {name: value for name, value in facts.items() if value != "unknown"}
    assert known == {"Model version": "none", "Model path": "none"}


def test_facts_of_a_training(make):
    facts = report_tables.training_facts(make.report())
    assert facts["Epochs"] == "2, the weights of epoch 2 kept"
    assert facts["Throughput"] == "12,345 events/s"
    assert facts["Boosted trees"] == "100 trees, 2,400 leaves; logit = 0.90 network + 0.20 leaves"
    assert facts["Warm start"] == "none"
    assert facts["Resumed after epoch"] == "never"


def test_facts_of_a_training_that_was_resumed_and_warm(make):
    changes = {"resumed_at": 3, "warm_start": ["wide:kernel", "wide:bias"], "trees": None}
    report = make.report(training=parse_training(make.training | changes))
    facts = report_tables.training_facts(report)
    assert facts["Warm start"] == "2 weights of an earlier model"
    assert facts["Resumed after epoch"] == "3"
    assert facts["Boosted trees"] == "none"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1.25, "1.2 s"), (150, "150.0 s (2.5 min)"), (math.nan, "unknown"), (None, "unknown")],
)
def test_durations_in_words(seconds, words):
    assert report_tables.duration(seconds) == words


@pytest.mark.parametrize(
    ("state", "ending", "words"),
    [
        ("done", "", "done"),
        ("cached", "", "cached (from an earlier run)"),
        ("running", "interrupted", "cut short"),
        ("running", "", "running, or cut short without a word"),
        ("unknown", "failed", "unknown"),
    ],
)
def test_states_claim_no_more_than_is_known(state, ending, words):
    assert (
        report_tables.state(NodeRun("Trainer", state, 1.0, {}), RunRecord(ending=ending)) == words
    )


def test_lineage_leads_from_the_push_to_the_shards(make):
    report = make.report(configuration={"data_root": "/data"})
    assert report_tables.lineage(report) == [
        ("pushed model", "/root/Pusher/12"),
        ("let through by the serving check", "/root/ServingCheck/blessing/9"),
        ("trained model", "/root/Trainer/model/8"),
        ("data verdict", "/root/DataGate/verdict/7"),
        ("shards", "/data"),
    ]
    without = dataclasses.replace(report, outcome=RunOutcome("", {}), configuration={})
    assert report_tables.lineage(without) == [("shards", "unknown")]


def test_lineage_of_a_refused_model_claims_no_push(make):
    judged = {
        "evaluation": Output("/evaluation", {}),
        "blessing": Output("/blessing", {"blessed": 0, "baseline_model": "/earlier"}),
    }
    report = make.report(value=0.6, outcome=make.outcome(pushed=0, Evaluator=judged))
    found = report_tables.lineage(report)
    assert found[:3] == [
        ("not pushed", "/root/Pusher/12"),
        ("refused by the evaluation", "/evaluation"),
        ("let through by the serving check", "/root/ServingCheck/blessing/9"),
    ]
    assert ("held against the baseline", "/earlier") in found


def test_one_class_has_no_cuts():
    scores = Scores(np.ones(100), np.zeros(100), np.ones(100))
    assert list(report_tables.cuts(scores)) == []


def test_devices_and_trees_as_far_as_they_are_known(make):
    changes = {"strategy": {"devices": "TPU:0"}, "trees": {"trees": 5}, "blend": {"network": 0.5}}
    report = make.report(training=parse_training(make.training | changes))
    assert report_tables.run_facts(report)["Devices"] == "TPU:0"
    assert report_tables.run_facts(report)["Strategy"] == "unknown x unknown"
    assert report_tables.training_facts(report)["Boosted trees"] == "5 trees, unknown leaves"
