import math
import re
from html.parser import HTMLParser

import pytest

from components.report.html_page import render
from components.report.report_data import ReportData
from formats import names
from formats.gate_decision import GateDecision, ThresholdCheck
from formats.run_outcome import NodeRun, RunOutcome, RunRecord


class Outline(HTMLParser):
    """Tags, ids and text of a page, and attributes that run scripts or load anything."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.ids, self.texts, self.active = [], [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.ids += [value for name, value in attributes if name == "id"]
        self.active += [
            (tag, name, value)
            for name, value in attributes
            if name.startswith("on")
            or (name in ("src", "href", "xlink:href") and not value.startswith(("#", "data:")))
        ]

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.texts))


@pytest.fixture(scope="module")
def complete_page(make):
    return Outline(render(make.report()))


def test_status_comes_first(complete_page):
    text = complete_page.text
    assert text.index("Pushed") < text.index("AUC") < text.index("Evaluation")
    assert "0.8000" in text
    assert "+0.1000" in text


def test_page_has_one_script_and_loads_nothing(complete_page):
    assert complete_page.tags.count("script") == 1
    assert complete_page.active == []


def test_ids_of_sections_and_tables(complete_page):
    assert {"evaluation", "training", "data", "provenance"} <= set(complete_page.ids)
    assert {"gates", "metrics", "cuts", "slices", "splits", "statistics", "nodes"} <= set(
        complete_page.ids
    )
    assert {"verdict", "auc", "metric-binary_accuracy"} <= set(complete_page.ids)


@pytest.mark.parametrize(("state", "from_metadata"), [("unknown", False), ("done", True)])
def test_provenance_states_its_source(state, from_metadata):
    nodes = {names.PUSHER: NodeRun(names.PUSHER, state, 1.0, {})}
    record = RunRecord(configuration="{}", packages={"tfx": "1.16.0"})
    text = Outline(render(ReportData(RunOutcome("r", nodes, record)))).text
    assert ("rendered from the artifacts alone" in text) != from_metadata
    assert ("Versions where the run was started; " in text) == from_metadata
    assert ("from the same inputs, settings, code and package versions" in text) == from_metadata


@pytest.mark.slow
def test_packages_are_those_that_made_the_model_not_those_of_the_run(make):
    record = RunRecord(configuration="{}", packages={"tensorflow": "2.99.0"})
    for state, note in (
        ("done", "Versions with which the model was trained."),
        ("cached", "Versions with which the model was trained, by an earlier run."),
    ):
        nodes = {names.TRAINER: NodeRun(names.TRAINER, state, 1.0, {})}
        report = ReportData(RunOutcome("r", nodes, record), training=make.training())
        text = Outline(render(report)).text
        assert note in text
        assert "tensorflow 2.16.1" in text
        assert "2.99.0" not in text


@pytest.mark.slow
def test_packages_of_the_run_stand_in_for_those_of_an_earlier_release(make):
    record = RunRecord(configuration="{}", packages={"tensorflow": "2.99.0"})
    nodes = {names.TRAINER: NodeRun(names.TRAINER, "cached", 1.0, {})}
    report = ReportData(RunOutcome("r", nodes, record), training=make.training(packages={}))
    text = Outline(render(report)).text
    assert "Versions where the run was started; the training record has none." in text
    assert "tensorflow 2.99.0" in text


@pytest.mark.slow
def test_page_is_deterministic(make):
    report = make.report(evaluation=None)
    assert render(report) == render(report)


def test_empty_run_has_a_page():
    text = Outline(render(ReportData(RunOutcome("", {})))).text
    for sentence in (
        "Unfinished The run did not reach Pusher.",
        "No model was evaluated.",
        "No model was trained.",
        "No events were ingested.",
        "The run has no record of its configuration.",
    ):
        assert sentence in text


@pytest.mark.slow
def test_unread_parts_are_listed_with_the_reason(make):
    report = make.report(evaluation=None, training=None, splits=(), unread={"scores": "no file"})
    text = Outline(render(report)).text
    assert "Some artifacts of this run could not be read" in text
    assert "scores : no file" in text


@pytest.mark.slow
def test_baseline_is_shown_beside_the_candidate(make):
    decision = GateDecision(True, 20_000, 0.8, 0.79, (ThresholdCheck("AUC", 0.8, 0.7),))
    report = make.report(
        decision=decision, evaluation=make.evaluation(0.79), training=None, splits=()
    )
    assert "baseline 0.7900 , change +0.0100" in Outline(render(report)).text


@pytest.mark.slow
def test_figure_to_publish_is_beside_that_of_the_gates(make):
    decision = GateDecision(True, 20_000, 0.8, None, (ThresholdCheck("AUC", 0.8, 0.7),))
    test = make.evaluation().candidate.overall
    report = make.report(decision=decision, test=test, training=None, splits=())
    text = Outline(render(report)).text
    assert f"AUC 0.8000 95 % interval 0.7945 to 0.8055, on {test.events:,} events of test" in text
    assert "the figure to publish. No gate depends on it." in text
    assert "measured on eval , on which the gates decide" in text
    without = make.report(decision=decision, training=None, splits=())
    assert "figure to publish" not in Outline(render(without)).text


def test_nodes_are_listed_with_their_states():
    states = ("failed", "running", "unknown", "cached")
    nodes = {name: NodeRun(name, name, math.nan, {}) for name in states}
    text = Outline(render(ReportData(RunOutcome("r", nodes)))).text
    for state in states:
        assert f"{state} {state}" in text
