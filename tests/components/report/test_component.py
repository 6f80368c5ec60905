"""The node: what it is told of a run, and that no page fails a run which has pushed."""

import json
import logging
import math
import re

import pytest
from tfx.types import standard_artifacts

from components.report import html_page
from components.report.component import Report, describe_run, draw_page
from formats.artifact_types import ClassHistograms, DataVerdict, HtmlReport
from formats.run_outcome import Output, RunRecord

KINDS = {
    "examples": standard_artifacts.Examples,
    "schema": standard_artifacts.Schema,
    "statistics": standard_artifacts.ExampleStatistics,
    "histograms": ClassHistograms,
    "anomalies": standard_artifacts.ExampleAnomalies,
    "data_verdict": DataVerdict,
    "model": standard_artifacts.Model,
    "model_run": standard_artifacts.ModelRun,
    "evaluation": standard_artifacts.ModelEvaluation,
    "blessing": standard_artifacts.ModelBlessing,
    "infra_blessing": standard_artifacts.InfraBlessing,
    "pushed_model": standard_artifacts.PushedModel,
}


def make_artifact(kind, uri, **properties):
    artifact = kind()
    artifact.uri = str(uri)
    for name, value in properties.items():
        setter = "set_string" if isinstance(value, str) else "set_int"
        getattr(artifact, f"{setter}_custom_property")(name, value)
    return artifact


def run_node(folder, out):
    """Runs the node's executor on the artifacts in a folder, and gives the page."""
    properties = {
        "examples": {"events_train": 400, "events_eval": 200}
        | {f"unknown_codes_{split}": "{}" for split in ("train", "eval")},
        "blessing": {"blessed": 1},
        "infra_blessing": {"blessed": 1},
        "pushed_model": {"pushed": 1, "pushed_version": "17", "pushed_destination": "/serving/17"},
    }
    inputs = {
        name: [make_artifact(kind, folder / name, **properties.get(name, {}))]
        for name, kind in KINDS.items()
    }
    out.mkdir()
    Report.EXECUTOR_SPEC.executor_class().Do(
        inputs,
        {"report": [make_artifact(HtmlReport, out)]},
        {"configuration": json.dumps({"seed": 7}), "code_version": "0.1.0, sources abc"},
    )
    return (out / "report.html").read_text()


def test_page_is_made_from_the_artifacts_alone(run_folder, tmp_path):
    text = run_node(run_folder, tmp_path / "out")
    assert "as version 17" in text
    assert '<strong id="auc">0.8000</strong>' in text
    assert "0.1.0, sources abc" in text
    assert "could not be" not in text


def test_run_is_told_by_its_artifacts(tmp_path):
    blessing = make_artifact(standard_artifacts.ModelBlessing, "/blessing", blessed=1, of="x")
    record = RunRecord("{}", "0.1.0")
    outcome = describe_run({"Evaluator": {"blessing": blessing}}, record)
    assert outcome.run_id == ""
    node = outcome.nodes["Evaluator"]
    assert node.state == "unknown"
    assert math.isnan(node.seconds)
    assert node.started is None
    assert node.outputs == {"blessing": Output("/blessing", {"blessed": 1, "of": "x"})}
    assert outcome.record is record


class Refusing:
    """A loader of templates that fails as a damaged installation does."""

    def get_source(self, *_):
        raise OSError("<b>no template</b>")


@pytest.fixture
def no_templates(monkeypatch):
    monkeypatch.setattr(html_page, "PackageLoader", lambda _: Refusing())


def test_page_that_cannot_be_drawn_fails_no_run(run_folder, tmp_path, no_templates, caplog):
    with caplog.at_level(logging.ERROR, "higgs.report"):
        text = run_node(run_folder, tmp_path / "out")
    assert '<h1 id="verdict">Pushed as version 17</h1>' in text
    assert "AUC 0.8000 on 20,000 events; AUC 0.8000, at least 0.7000 needed" in text
    assert "could not be drawn: OSError: &lt;b&gt;no template&lt;/b&gt;" in text
    assert not re.search(r"<(script|b|img)\b", text)
    (logged,) = [entry for entry in caplog.records if entry.levelno == logging.ERROR]
    assert logged.exc_info[0] is OSError


def test_page_that_cannot_be_drawn_of_a_run_that_cannot_be_read(make, no_templates):
    text = draw_page(make.outcome(pushed=0, Evaluator={"evaluation": Output("/nowhere", {})}))
    assert '<h1 id="verdict">Not pushed</h1>' in text
    assert "The verdict is not known. ValueError: no metrics in /nowhere" in text
    text = draw_page(make.outcome())
    assert "The verdict is not known. </p>" in text
