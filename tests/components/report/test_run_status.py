import dataclasses
import math

import pytest

from components.report.run_status import Tone, gates, headline
from formats.gate_decision import Check, Verdict
from formats.run_outcome import NodeRun, Output, RunOutcome, RunRecord


def test_pushed_model_is_told_by_version(make):
    found = headline(make.report())
    assert (found.tone, found.title, found.sentence) == (Tone.GOOD, "Pushed", "as version 17")


def test_cached_push_was_an_earlier_runs(make):
    outcome = make.outcome()
    nodes = dict(outcome.nodes)
    nodes["Pusher"] = dataclasses.replace(nodes["Pusher"], state="cached")
    found = headline(make.report(outcome=dataclasses.replace(outcome, nodes=nodes)))
    assert found.sentence == "as version 17 by an earlier run; nothing has changed since"


def test_refusal_names_gate_and_margin(make):
    found = headline(make.report(value=0.6543, limit=0.7))
    assert found.title == "Refused"
    assert found.sentence == "not pushed: refused by Evaluator: AUC, missed by 0.0457"


def test_every_gate_that_refused_is_named(make):
    checks = (Check("AUC", 0.6, 0.7), Check("AUC above the baseline's", -0.1, -0.002, True))
    failed = {"blessing": Output("/b", {"blessed": 0})}
    report = make.report(
        outcome=make.outcome(pushed=0, ServingCheck=failed),
        verdict=Verdict(False, 100, 0.6, 0.7, checks),
        serving_fault="scores differ by 0.1",
    )
    sentence = headline(report).sentence
    assert "Evaluator: AUC, missed by 0.1000" in sentence
    assert "Evaluator: AUC above the baseline's, missed by 0.0980" in sentence
    assert sentence.endswith("ServingCheck")
    assert [gate.remark for gate in gates(report)][-1] == "scores differ by 0.1"


@pytest.mark.parametrize(
    ("ending", "title"),
    [("refused", "Data refused"), ("failed", "Failed"), ("interrupted", "Interrupted")],
)
def test_run_that_was_cut_short_says_why(make, ending, title):
    record = RunRecord(ending=ending, failure="train: m_bb is missing")
    found = headline(make.report(outcome=make.outcome(record=record)))
    assert (found.title, found.sentence) == (title, "train: m_bb is missing")


def test_failed_node_is_named_where_no_reason_was_kept(make):
    outcome = make.outcome()
    nodes = {"Trainer": dataclasses.replace(outcome.nodes["Trainer"], state="failed")}
    found = headline(make.report(outcome=dataclasses.replace(outcome, nodes=nodes)))
    assert (found.title, found.sentence) == ("Failed", "in Trainer; the log has the reason")


def test_gates_that_were_never_asked_are_open(make):
    outcome = dataclasses.replace(make.outcome(), nodes={})
    report = make.report(outcome=outcome, verdict=None, splits=())
    assert [(gate.tone, gate.remark) for gate in gates(report)] == [(Tone.OPEN, "never asked")] * 3
    assert headline(report).title == "Unfinished"


def test_data_with_problems_is_refused_by_its_gate(make):
    report = make.report(splits=(make.split(problems=["m_bb: 3 missing"]),))
    gate = next(gates(report))
    assert (gate.tone, gate.measured) == (Tone.BAD, "1 problems")


def test_gate_whose_word_cannot_be_read_was_not_never_asked(make):
    outcome = make.outcome(Evaluator={"evaluation": Output("/gone", {})})
    gate = list(gates(make.report(outcome=outcome, verdict=None)))[1]
    assert (gate.name, gate.tone, gate.remark) == (
        "Evaluator",
        Tone.OPEN,
        "its word could not be read",
    )


def test_gate_that_failed_was_not_never_asked(make):
    nodes = {name: NodeRun(name, "failed", 1.0, {}) for name in ("Evaluator", "ServingCheck")}
    report = make.report(outcome=RunOutcome("r", nodes), verdict=None, splits=())
    data, *others = gates(report)
    assert data.remark == "never asked"
    assert {gate.remark for gate in others} == {"it failed before it had a word"}


def test_data_that_ingestion_refused_was_not_refused_by_the_gate_after_it(make):
    record = RunRecord(ending="refused", failure="shard 1: record 7")
    nodes = {"CollisionExampleGen": NodeRun("CollisionExampleGen", "failed", 1.0, {})}
    report = make.report(outcome=RunOutcome("r", nodes, record), verdict=None, splits=())
    gate = next(gates(report))
    assert (gate.tone, gate.remark) == (Tone.OPEN, "never asked")
    assert headline(report).sentence == "shard 1: record 7"


def test_gate_that_refused_the_data_says_why(make):
    record = RunRecord(ending="refused", failure="events were lost")
    nodes = {"DataGate": NodeRun("DataGate", "failed", 1.0, {})}
    gate = next(gates(make.report(outcome=RunOutcome("r", nodes, record), splits=())))
    assert (gate.tone, gate.remark) == (Tone.BAD, "events were lost")


def test_validation_that_failed_for_another_reason_is_a_refusal(make):
    verdict = Verdict(False, 100, 0.8, None, (Check("AUC", 0.8, 0.7),))
    report = make.report(outcome=make.outcome(pushed=0), verdict=verdict)
    assert headline(report).sentence == "not pushed: refused by Evaluator"
    assert [gate.tone for gate in gates(report)] == [Tone.GOOD, Tone.GOOD, Tone.BAD, Tone.GOOD]


def test_measure_that_is_no_number_is_not_missed_by_any(make):
    verdict = Verdict(False, 100, math.nan, None, (Check("AUC", math.nan, 0.7),))
    report = make.report(outcome=make.outcome(pushed=0), verdict=verdict)
    assert headline(report).sentence.endswith("Evaluator: AUC, which is no number")
    assert list(gates(report))[1].measured == "–"
