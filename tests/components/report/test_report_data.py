"""All that is known of a run, in one object."""

import dataclasses
import shutil

import pytest

from components.report.report_data import ReportData, parse_configuration, read_report, read_summary
from formats.run_outcome import Output, RunOutcome, RunRecord


def test_everything_that_a_run_left_is_read(make, run_folder):
    report = read_report(make.run(run_folder))
    assert (report.verdict.auc, report.verdict.events) == (0.8, 20_000)
    assert report.evaluation.candidate.overall.scores.has_both_classes
    assert [m.name for m in report.evaluation.candidate.slices] == ["n_b_tags = 2"]
    assert report.training.epoch_kept == 2
    assert [(s.name, s.events, s.signal) for s in report.splits] == [
        ("train", 400, 200),
        ("eval", 200, 100),
    ]
    assert report.configuration == {"seed": 7, "data_root": "/data"}
    assert (report.drift, report.serving_fault, report.unread) == (None, "", {})


def test_summary_is_the_verdict_alone(make, run_folder):
    report = read_summary(make.run(run_folder))
    assert report.verdict.auc == 0.8
    assert report.evaluation is None
    assert report.splits == ()


def test_run_that_left_nothing_lacks_nothing_that_should_be_there():
    outcome = RunOutcome("", {})
    assert read_report(outcome) == ReportData(outcome)


def test_data_is_compared_with_an_earlier_runs(make, run_folder, tmp_path):
    earlier = make.run(shutil.copytree(run_folder, tmp_path / "earlier"))
    report = read_report(make.run(run_folder), dataclasses.replace(earlier, run_id="run-0"))
    assert report.drift.earlier_run == "run-0"
    assert {name: d.value for name, d in report.drift.distances.items()} == {
        "m_bb": 0.0,
        "jet_1_b_tag": 0.0,
    }


def test_fault_of_the_serving_check_is_its_own_words(make, run_folder):
    (run_folder / "blessing" / "INFRA_NOT_BLESSED").write_text("scores differ by 0.1")
    outcome = make.run(run_folder)
    blessing = {"blessing": Output(str(run_folder / "blessing"), {"blessed": 0})}
    node = dataclasses.replace(outcome.nodes["ServingCheck"], outputs=blessing)
    nodes = {**outcome.nodes, "ServingCheck": node}
    report = read_report(dataclasses.replace(outcome, nodes=nodes))
    assert report.serving_fault == "scores differ by 0.1"


def test_training_of_unexpected_kinds_is_read_and_named(make, run_folder):
    file = run_folder / "model_run" / "training.json"
    file.write_text('{"seed": "x", "precision": "float32", "epochs": 3}')
    report = read_report(make.run(run_folder))
    assert report.training.facts == {"precision": "float32"}
    assert report.unread == {"training": "of another kind than expected: seed, epochs"}


def test_record_that_could_not_be_read_is_named():
    outcome = RunOutcome("", {}, RunRecord(fault="no JSON"))
    assert read_report(outcome).unread == {"record of the run": "no JSON"}


def test_configuration_is_json_of_names_and_values():
    assert parse_configuration('{"seed": 7}') == {"seed": 7}
    assert parse_configuration("") == {}
    with pytest.raises(ValueError, match=r"expected names and values, got \[1\]"):
        parse_configuration("[1]")


def test_reasons_are_as_long_as_one_reads(make):
    outcome = make.outcome(record=RunRecord(f"[{'1,' * 5000}1]"))
    assert len(read_report(outcome).unread["configuration"]) <= 500
