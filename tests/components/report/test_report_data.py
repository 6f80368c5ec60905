import dataclasses
import json
import shutil

import pytest

from components.report.report_data import ReportData, parse_configuration, read_report, read_summary
from formats import names
from formats.run_outcome import RunOutcome, RunRecord

EARLIER_HISTOGRAMS = "histograms/histograms.json"


@pytest.fixture
def earlier_run(make, run_folder, tmp_path):
    folder = shutil.copytree(run_folder, tmp_path / "earlier")
    return dataclasses.replace(make.run(folder), run_id="run-0")


def test_everything_is_read(make, run_folder):
    report = read_report(make.run(run_folder))
    assert (report.decision.auc, report.decision.events) == (0.8, 20_000)
    assert report.evaluation.candidate.overall.scores.has_both_classes
    assert [row.name for row in report.evaluation.candidate.slices] == ["n_b_tags = 2"]
    assert report.training == make.training()
    assert [(split.name, split.events, split.signal) for split in report.splits] == [
        ("train", 400, 200),
        ("eval", 200, 100),
    ]
    assert report.configuration == {"seed": 7, "data_root": "/data"}
    assert (report.drift, report.serving_fault, report.unread) == (None, "", {})


def test_summary_is_the_decision_alone(make, run_folder):
    report = read_summary(make.run(run_folder))
    assert report.decision.auc == 0.8
    assert report.evaluation is None
    assert report.splits == ()


def test_empty_run_has_nothing_unread():
    outcome = RunOutcome("", {})
    assert read_report(outcome) == ReportData(outcome)


def test_data_is_compared_with_the_data_of_an_earlier_run(make, run_folder, earlier_run):
    report = read_report(make.run(run_folder), earlier_run)
    assert report.drift.earlier_run == "run-0"
    distances = {name: distance.value for name, distance in report.drift.distances.items()}
    assert distances == {"m_bb": 0.0, "jet_1_b_tag": 0.0}


def test_missing_histograms_of_an_earlier_run_are_named(make, run_folder, earlier_run, tmp_path):
    (tmp_path / "earlier" / EARLIER_HISTOGRAMS).unlink()
    report = read_report(make.run(run_folder), earlier_run)
    assert report.drift is None
    assert list(report.unread) == ["earlier histograms"]


def test_earlier_run_without_the_split_gives_no_drift(make, run_folder, earlier_run, tmp_path):
    file = tmp_path / "earlier" / EARLIER_HISTOGRAMS
    content = json.loads(file.read_text())
    del content["splits"]["train"]
    file.write_text(json.dumps(content))
    report = read_report(make.run(run_folder), earlier_run)
    assert (report.drift, report.unread) == (None, {})


def test_fault_of_the_serving_check_is_read(make, run_folder):
    (run_folder / "blessing" / "INFRA_NOT_BLESSED").write_text("scores differ by 0.1")
    outcome = make.run(run_folder, {names.INFRA_BLESSING: {names.BLESSED_PROPERTY: 0}})
    assert read_report(outcome).serving_fault == "scores differ by 0.1"


def test_training_record_of_another_form_is_unread(make, run_folder):
    (run_folder / "model_run" / "training.json").write_text('{"seed": "x", "epochs": 3}')
    report = read_report(make.run(run_folder))
    assert report.training is None
    assert report.decision.auc == 0.8
    assert list(report.unread) == ["training"]
    assert report.unread["training"].startswith("seed: Input should be a valid integer")
    assert "precision: Field required" in report.unread["training"]


def test_invalid_run_record_is_named():
    outcome = RunOutcome("", {}, RunRecord(fault="Invalid JSON"))
    assert read_report(outcome).unread == {"run record": "Invalid JSON"}


def test_configuration_is_a_json_object():
    assert parse_configuration('{"seed": 7}') == {"seed": 7}
    assert parse_configuration("") == {}
    with pytest.raises(ValueError, match=r"expected a JSON object, got \[1\]"):
        parse_configuration("[1]")


def test_reasons_are_truncated(make):
    outcome = make.outcome(record=RunRecord(configuration=f"[{'1,' * 5000}1]"))
    assert len(read_report(outcome).unread["configuration"]) <= 500
