"""The executor: what it knows of a run, and that a rendering error does not fail a pushed run."""

import logging
import math

import pytest
from tfx.types import standard_artifacts

from components.report import html_page
from components.report.executor import describe_run, render_fallback, render_or_fallback
from formats import names
from formats.run_outcome import Output, RunOutcome, RunRecord


def test_run_is_described_by_its_artifacts():
    blessing, evaluation = standard_artifacts.ModelBlessing(), standard_artifacts.ModelEvaluation()
    blessing.uri, evaluation.uri = "/blessing", "/evaluation"
    blessing.set_int_custom_property(names.BLESSED_PROPERTY, 1)
    record = RunRecord(code_version="0.1.0")
    outcome = describe_run({names.BLESSING: blessing, names.EVALUATION: evaluation}, record)
    assert outcome.output(names.BLESSING) == Output("/blessing", {"blessed": 1})
    assert outcome.uri(names.EVALUATION) == "/evaluation"
    (node,) = outcome.nodes.values()
    assert (node.state, node.started) == ("unknown", None)
    assert math.isnan(node.seconds)
    assert outcome.record is record


@pytest.fixture
def no_templates(monkeypatch):
    """A damaged installation."""

    class Loader:
        def get_source(self, *_):
            raise OSError("<b>no template</b>")

    monkeypatch.setattr(html_page, "PackageLoader", lambda _: Loader())


def test_run_whose_page_fails_gets_a_page_with_the_decision(make, run_folder, no_templates, caplog):
    with caplog.at_level(logging.ERROR, "higgs.report"):
        page = render_or_fallback(make.run(run_folder))
    assert '<h1 id="verdict">Pushed as version 17</h1>' in page
    assert (
        "<p>AUC 0.8000 on 20,000 events; Evaluator: AUC 0.8000, at least 0.7000 required</p>"
        in page
    )
    assert "could not be rendered: OSError: &lt;b&gt;no template&lt;/b&gt;" in page
    (logged,) = caplog.records
    assert logged.exc_info[0] is OSError


def test_fallback_names_what_is_unknown(make):
    unreadable = {names.EVALUATION: Output("/nowhere")}
    page = render_fallback(make.outcome(pushed=0, outputs=unreadable), ValueError("\ud800"))
    assert '<h1 id="verdict">Not pushed</h1>' in page
    assert "The AUC is not known. ValueError: no metrics in /nowhere" in page
    assert "The AUC is not known.</p>" in render_fallback(RunOutcome("", {}), KeyError("x"))
