import json
import math

from formats.evaluation_record import NO_SCORES, SliceEvaluation
from formats.gate_decision import GateDecision, ThresholdCheck
from formats.run_outcome import NodeRun, Output, RunOutcome, RunRecord
from pipeline.metadata_store import all_runs, find_run
from pipeline.run_table import decision_lines, lineage_lines, published_line, run_lines


def test_one_line_per_run_the_newest_first(pushed_twice):
    heading, *lines = run_lines(all_runs(pushed_twice.path))
    assert heading.split() == ["run", "verdict", "version", "AUC", "test", "AUC", "events", "time"]
    assert [line.split()[:6] for line in lines] == [
        ["2026-02-03", "Refused", "-", "-", "-", "0"],
        ["2026-01-02", "Pushed", "17", "-", "-", "0"],
        ["2026-01-01", "Pushed", "17", "-", "-", "6,000"],
    ]
    assert all(line.endswith(" s") for line in lines)
    assert {line.index(line.split()[1]) for line in lines} == {heading.index("verdict")}


def test_run_that_left_nothing_has_a_line():
    _, line = run_lines([RunOutcome("r", {})])
    assert line.split() == ["r", "Unfinished", "-", "-", "-", "0", "unknown"]


def test_lineage_names_places_events_and_shards():
    outputs = {
        "CollisionExampleGen": {"examples": Output("/examples", {"events_train": 4000})},
        "Pusher": {"pushed_model": Output("/pushed", {"pushed": 1})},
    }
    nodes = {name: NodeRun(name, "done", 1.0, made) for name, made in outputs.items()}
    record = RunRecord(configuration=json.dumps({"data_root": "/data"}))
    assert list(lineage_lines(RunOutcome("run-1", nodes, record))) == [
        "pushed by run run-1",
        f"{'pushed model':<34}/pushed",
        f"{'examples':<34}/examples",
        f"{'shards':<34}/data",
        "data: 4,000 train events",
    ]


def test_lineage_of_a_run_whose_record_is_damaged_says_what_is_known(pushed_twice):
    lines = list(lineage_lines(find_run(pushed_twice.path, "2026-02-03")))
    assert lines[1:] == [f"{'not pushed':<34}/pushed/2", f"{'shards':<34}unknown"]


def test_decision_lists_thresholds_and_margins():
    checks = (
        ThresholdCheck("AUC", 0.81, 0.8),
        ThresholdCheck("difference in AUC", -0.01, -0.002),
    )
    lines = list(decision_lines(GateDecision(False, 2000, 0.81, 0.82, checks)))
    assert lines == [
        "AUC 0.8100 on 2,000 events, baseline 0.8200",
        "gate: AUC 0.8100, at least 0.8000 needed: passed by 0.0100",
        "gate: difference in AUC -0.0100, at least -0.0020 needed: MISSED by 0.0080",
    ]


def test_undecided_comparison_is_printed_with_intervals_and_remedy():
    checks = (
        ThresholdCheck("AUC", 0.81, 0.8, interval=(0.80, 0.82), method="DeLong 1988"),
        ThresholdCheck(
            "difference in AUC, 95 % lower bound",
            -0.004,
            -0.002,
            is_change=True,
            undecided="about 80,000 eval events would decide",
        ),
    )
    assert list(decision_lines(GateDecision(False, 2000, 0.81, 0.82, checks)))[1:] == [
        "gate: AUC 0.8100, at least 0.8000 needed: passed by 0.0100; 95 % interval 0.8000 to "
        "0.8200 (DeLong 1988)",
        "gate: difference in AUC, 95 % lower bound -0.0040, at least -0.0020 needed: "
        "UNDECIDED by 0.0020, about 80,000 eval events would decide",
    ]


def test_decision_on_too_few_events_of_one_class_says_so():
    reason = "all 600 events are signal"
    checks = (
        ThresholdCheck("events", 600.0, 1000.0, is_count=True),
        ThresholdCheck("AUC", math.nan, 0.8, fault=reason),
        ThresholdCheck("difference in AUC", math.nan, -0.002, is_change=True),
    )
    decision = GateDecision(False, 600, math.nan, math.nan, checks, auc_fault=reason)
    assert list(decision_lines(decision)) == [
        "AUC undefined on 600 events, baseline undefined: all 600 events are signal",
        "gate: events 600, at least 1,000 needed: MISSED by 400",
        "gate: AUC undefined, at least 0.8000 needed: UNDECIDED, all 600 events are signal",
        "gate: difference in AUC undefined, at least -0.0020 needed: UNDECIDED, the value "
        "is not a number",
    ]


def test_figure_to_publish_has_its_interval_and_its_events():
    metrics = {"auc": 0.8, "auc_standard_error": 0.01, "example_count": 2000.0}
    assert published_line(SliceEvaluation("all events", metrics, NO_SCORES)) == (
        "test AUC 0.8000, 95 % interval 0.7804 to 0.8196 (DeLong), on 2,000 events that no gate "
        "depends on"
    )
    metrics = {"auc": math.nan, "signal_count": 7.0, "example_count": 7.0}
    assert published_line(SliceEvaluation("all events", metrics, NO_SCORES)) == (
        "test AUC undefined, on 7 events that no gate depends on: all 7 events are signal"
    )


def test_each_gate_of_a_run_has_a_line_in_the_table_of_runs(make, tmp_path):
    make.evaluation_files(tmp_path / "evaluation", passed=False, least_events=30_000)
    evaluation = Output(str(tmp_path / "evaluation"))
    node = NodeRun("Evaluator", "done", 1.0, {"evaluation": evaluation})
    _, line, *gates = run_lines([RunOutcome("r", {"Evaluator": node})])
    assert line.split()[-3:] == ["0", "1.0", "s"]
    gate = "AUC 0.8000, at least 0.7000: passed by 0.1000; 95 % interval 0.7945 to 0.8055"
    assert gates == [
        "  events 20,000, at least 30,000: missed by 10,000",
        f"  {gate} (DeLong 1988)",
    ]


def test_a_run_with_a_test_set_has_both_aucs_in_the_table_of_runs(make, tmp_path):
    make.evaluation_files(tmp_path / "evaluation")
    test = {"": {"": (make.metrics(0.7531, 3000), make.scores())}}
    make.evaluation_files(tmp_path / "test", test, lower_bound=None)
    nodes = {
        name: NodeRun(name, "done", 1.0, {"evaluation": Output(str(tmp_path / folder))})
        for name, folder in (("Evaluator", "evaluation"), ("TestEvaluator", "test"))
    }
    _, line, *_ = run_lines([RunOutcome("r", nodes)])
    assert line.split()[3:5] == ["0.8000", "0.7531"]
