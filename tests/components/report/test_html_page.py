import dataclasses
import json
import math
import re
from html.parser import HTMLParser

import pytest

from components.report.html_page import render, writable
from components.report.report_data import ReportData
from formats.gate_decision import Check, Verdict
from formats.run_outcome import NodeRun, Output, RunOutcome, RunRecord

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


class Outline(HTMLParser):
    """Tags by name, the text, and attributes that act or lead away."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.words, self.suspicious = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.suspicious += [
            (tag, name, value)
            for name, value in attributes
            if name.startswith("on")
            or (name in ("src", "href", "xlink:href") and not value.startswith(("#", "data:")))
        ]

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def page(make):
    return Outline(render(make.report()))


def test_page_says_the_verdict_first(page):
    text = page.text
    assert text.index("Pushed") < text.index("AUC") < text.index("Evaluation")
    assert "0.8000" in text
    assert "+0.1000" in text


def test_page_holds_one_script_and_leads_nowhere(page):
    assert page.tags.count("script") == 1
    assert page.suspicious == []


def test_page_has_every_section(page):
    for heading in ("Evaluation", "Training", "Data", "Provenance"):
        assert heading in page.text


def test_heads_of_tables_are_printed_on_each_page_and_nothing_is_cut_in_two(make):
    style = render(ReportData(RunOutcome("", {}))).split("@media print")[1].split("</style>")[0]
    assert "thead { display: table-header-group; }" in style
    assert re.search(r"\btr, figure, [^{]*\{ break-inside: avoid; \}", style)


@pytest.mark.parametrize(("state", "known"), [("unknown", False), ("done", True)])
def test_provenance_says_what_it_was_made_from(make, state, known):
    nodes = {"Pusher": NodeRun("Pusher", state, 1.0, {})}
    record = RunRecord("{}", "0.1.0", {"tfx": "1.16.0"})
    text = Outline(render(ReportData(RunOutcome("r", nodes, record)))).text
    assert ("drawn from the artifacts alone" in text) != known
    assert ("Where the run was started." in text) == known
    assert ("from the same inputs and settings" in text) == known


def test_page_is_the_same_each_time(make):
    assert render(make.report()) == render(make.report())


def test_hostile_names_values_and_words_are_text(make):
    report = make.report(
        outcome=make.outcome(
            record=RunRecord(
                json.dumps({"name": HOSTILE, HOSTILE: HOSTILE}),
                HOSTILE,
                {HOSTILE: HOSTILE},
                "refused",
                f"{HOSTILE}\n{HOSTILE}",
            ),
            Trainer={"model": Output(HOSTILE, {})},
        ),
        splits=(make.split(HOSTILE, problems=[HOSTILE], feature=HOSTILE),),
        evaluation=make.evaluation(names=(HOSTILE,)),
        verdict=Verdict(False, 10, 0.5, None, (Check(HOSTILE, 0.5, 0.7),)),
        serving_fault=HOSTILE,
        unread={HOSTILE: HOSTILE},
    )
    outline = Outline(render(report))
    assert outline.tags.count("script") == 1
    assert "img" not in outline.tags
    assert outline.suspicious == []
    assert outline.text.count("<script>alert('x')</script>") > 8


def test_run_that_left_nothing_still_has_a_page():
    text = Outline(render(ReportData(RunOutcome("", {})))).text
    assert "Unfinished" in text
    assert "Nothing was evaluated." in text
    assert "No event was ingested." in text


def test_run_without_a_training_or_statistics(make):
    split = dataclasses.replace(make.split(), features={}, histograms={}, signal=None)
    text = Outline(render(make.report(training=None, splits=(split,)))).text
    assert "1,000" in text
    assert "0.8000" in text


def test_what_could_not_be_read_is_told_with_the_reason(make):
    text = Outline(render(make.report(evaluation=None, unread={"evaluation": "no file"}))).text
    assert "Some of what this run left could not be read" in text
    assert "evaluation : no file" in text


def test_baseline_stands_beside_the_candidate(make):
    verdict = Verdict(True, 20_000, 0.8, 0.79, (Check("AUC", 0.8, 0.7),))
    text = Outline(render(make.report(verdict=verdict, evaluation=make.evaluation(0.79)))).text
    assert "baseline 0.7900 , change +0.0100" in text


def test_nodes_with_states_of_all_kinds_are_listed(make):
    nodes = {
        name: NodeRun(name, state, math.nan, {})
        for name, state in (("A", "failed"), ("B", "running"), ("C", "unknown"), ("D", "cached"))
    }
    text = Outline(render(make.report(outcome=RunOutcome("r", nodes)))).text
    for state in ("failed", "running", "unknown", "cached"):
        assert state in text


def test_what_no_file_or_browser_takes_is_replaced():
    assert writable("a\x00b\x1b\ud800 c\n\td") == "a\ufffdb\ufffd? c\n\td"
