import pytest

from components.report import report_tables
from components.report.report_data import ReportData
from formats import names
from formats.run_outcome import NodeRun, Output, RunOutcome, RunRecord


def test_cuts_are_taken_at_their_scores(make):
    scores = make.scores()
    middle, half, best = report_tables.selected_cuts(scores)
    signal, background = scores.cuts.signal, scores.cuts.background
    assert middle.threshold == 0.5
    assert middle.signal_efficiency == signal[50] / signal[0]
    assert middle.background_efficiency == background[50] / background[0]
    assert middle.purity == signal[50] / (signal[50] + background[50])
    assert half.signal_efficiency >= 0.5
    assert half.signal_efficiency == pytest.approx(0.5, abs=0.02)
    assert best.ams == max(cut.ams for cut in (middle, half, best))
    assert middle.rejection == pytest.approx(1 / middle.background_efficiency)


def test_slices_are_compared_with_the_baseline(make):
    rows = report_tables.slice_rows(make.evaluation(baseline=0.79))
    assert [row.name for row, _ in rows] == ["all events", "n_b_tags = 1", "n_b_tags = 2"]
    assert rows[0][1] == 0.79
    assert [auc for _, auc in report_tables.slice_rows(make.evaluation())] == [None] * 3


def test_facts_of_a_run(make):
    facts = report_tables.run_facts(make.report())
    assert facts["Model version"] == "17"
    assert facts["Model path"] == "/serving/17"
    assert facts["Strategy"] == "8 x TPU"
    assert facts["Devices"] == "TPU:0"
    assert facts["Precision"] == "mixed_bfloat16"
    assert facts["Seed"] == "7"
    assert facts["Events"] == "1,000 train, 500 eval"
    assert facts["Started"] == "2027-01-15 08:00:00 UTC"
    assert facts["Time of all nodes"] == "6.0 s"


def test_unknown_facts_of_a_run():
    facts = report_tables.run_facts(ReportData(RunOutcome("", {})))
    known = {name: value for name, value in facts.items() if value != "unknown"}
    assert known == {"Model version": "none", "Model path": "none"}


def test_facts_of_a_training(make):
    facts = report_tables.training_facts(make.training())
    assert facts["Epochs"] == "2, the weights of epoch 2 kept"
    assert facts["Throughput"] == "12,345 events/s"
    assert facts["Boosted trees"] == "100 trees, 2,400 leaves; logit = 0.90 network + 0.20 leaves"
    assert facts["Warm start"] == "none"
    assert facts["Resumed after epoch"] == "never"
    assert facts["Events in memory"].startswith("all ")
    assert facts["Refit"] == "none"


@pytest.mark.parametrize(
    ("resumed", "suffix"),
    [
        ((0, 0), ""),
        ((1, 0), "; resumed after epoch 1"),
        ((1, 7), "; resumed after epoch 1 and 7 steps"),
    ],
)
def test_facts_of_a_refit(make, resumed, suffix):
    refit = {"events": 4000, "steps_per_epoch": 15, "epochs": []}
    refit |= dict(zip(("resumed_at", "resumed_step"), resumed, strict=True))
    facts = report_tables.training_facts(make.training(refit=refit))
    assert facts["Refit"] == (
        "network and trees were trained again on all 4,000 events, with the epoch and the blend "
        f"that the first training chose on its validation events{suffix}"
    )
    assert facts["Resumed after epoch"] == "never"


def test_facts_of_a_training_through_a_window(make):
    training = make.training(
        events={"train": 4_000_000, "validation": 444_444},
        events_in_memory=1_048_576,
        resumed_at=0,
        resumed_step=250,
    )
    facts = report_tables.training_facts(training)
    assert facts["Events in memory"] == "1,048,576 at a time of 4,000,000"
    assert facts["Resumed after epoch"] == "0 and 250 steps"


def test_facts_of_a_resumed_training_with_a_warm_start_and_without_trees(make):
    training = make.training(
        resumed_at=3, warm_start=["wide:kernel", "wide:bias"], trees=None, blend=None
    )
    facts = report_tables.training_facts(training)
    assert facts["Warm start"] == "2 weights of an earlier model"
    assert facts["Resumed after epoch"] == "3"
    assert facts["Boosted trees"] == "none"


@pytest.mark.parametrize(
    ("state", "ending", "text"),
    [
        ("done", "", "done"),
        ("cached", "", "cached (from an earlier run)"),
        ("running", "interrupted", "interrupted"),
        ("running", "", "running, or interrupted without a record"),
        ("unknown", "failed", "unknown"),
    ],
)
def test_states_of_nodes(state, ending, text):
    node = NodeRun(names.TRAINER, state, 1.0, {})
    assert report_tables.node_state(node, RunRecord(ending=ending)) == text


def test_lineage_goes_from_the_pushed_model_to_the_shards(make):
    report = make.report(configuration={"data_root": "/data"})
    assert report_tables.lineage(report) == [
        ("pushed model", "/root/Pusher/12"),
        ("blessed by ServingCheck", "/root/ServingCheck/blessing/9"),
        ("trained model", "/root/Trainer/model/8"),
        ("data verdict", "/root/DataGate/verdict/7"),
        ("shards", "/data"),
    ]
    assert report_tables.lineage(ReportData(RunOutcome("", {}))) == [("shards", "unknown")]


def test_lineage_of_a_refused_model(make):
    blessing = {names.BLESSED_PROPERTY: 0, names.BASELINE_PROPERTY: "/earlier"}
    outputs = {
        names.EVALUATION: Output("/evaluation"),
        names.BLESSING: Output("/blessing", blessing),
    }
    report = make.report(outcome=make.outcome(pushed=0, outputs=outputs))
    lineage = report_tables.lineage(report)
    assert lineage[:3] == [
        ("not pushed", "/root/Pusher/12"),
        ("refused by Evaluator", "/evaluation"),
        ("blessed by ServingCheck", "/root/ServingCheck/blessing/9"),
    ]
    assert ("compared with the baseline", "/earlier") in lineage


def test_lineage_of_an_evaluation_without_gates(make):
    outcome = make.outcome(outputs={names.EVALUATION: Output("/evaluation")})
    assert ("evaluated by Evaluator", "/evaluation") in report_tables.lineage(ReportData(outcome))
