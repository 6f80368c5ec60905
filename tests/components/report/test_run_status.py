import dataclasses
import math

import pytest

from components.report.run_status import GateResult, Level, gates, run_status
from formats import names
from formats.gate_decision import GateDecision, ThresholdCheck
from formats.run_outcome import NodeRun, Output, RunOutcome, RunRecord


def with_state(outcome, node, state):
    changed = dataclasses.replace(outcome.nodes[node], state=state)
    return dataclasses.replace(outcome, nodes={**outcome.nodes, node: changed})


def without_decisions(make, state, *nodes, **record):
    """A run with known states of some nodes only."""
    runs = {node: NodeRun(node, state, 1.0, {}) for node in nodes}
    outcome = RunOutcome("r", runs, RunRecord(**record))
    return make.report(outcome=outcome, decision=None, splits=())


def test_pushed_model_is_named_by_version(make):
    status = run_status(make.report())
    assert (status.level, status.title, status.detail) == (
        Level.SUCCESS,
        "Pushed",
        "as version 17",
    )


def test_cached_push_names_the_earlier_run(make):
    status = run_status(make.report(outcome=with_state(make.outcome(), names.PUSHER, "cached")))
    assert status.detail == "as version 17 by an earlier run; nothing has changed since"


def test_refusal_names_gate_and_margin(make):
    status = run_status(make.report(value=0.6543, limit=0.7))
    assert (status.level, status.title) == (Level.FAILURE, "Refused")
    assert status.detail == "not pushed: refused by Evaluator: AUC, missed by 0.0457"


def test_every_refusing_gate_is_named(make):
    checks = (
        ThresholdCheck("AUC", 0.6, 0.7),
        ThresholdCheck("difference in AUC", -0.1, -0.002, True),
    )
    withheld = {names.INFRA_BLESSING: Output("/b", {names.BLESSED_PROPERTY: 0})}
    report = make.report(
        outcome=make.outcome(pushed=0, outputs=withheld),
        decision=GateDecision(False, 100, 0.6, 0.7, checks),
        serving_fault="scores differ by 0.1",
    )
    detail = run_status(report).detail
    assert "Evaluator: AUC, missed by 0.1000" in detail
    assert "Evaluator: difference in AUC, missed by 0.0980" in detail
    assert detail.endswith("ServingCheck")
    assert [gate.remark for gate in gates(report)][-1] == "scores differ by 0.1"


@pytest.mark.parametrize(
    ("ending", "title"),
    [("refused", "Data refused"), ("failed", "Failed"), ("interrupted", "Interrupted")],
)
def test_run_that_was_cut_short_has_the_reason(make, ending, title):
    record = RunRecord(ending=ending, failure="train: m_bb is missing")
    status = run_status(make.report(outcome=make.outcome(record=record)))
    assert (status.title, status.detail) == (title, "train: m_bb is missing")


def test_failed_node_is_named_without_a_recorded_reason(make):
    status = run_status(without_decisions(make, "failed", names.TRAINER))
    assert (status.title, status.detail) == ("Failed", "in Trainer; the log has the reason")


def test_gates_that_did_not_run_are_not_evaluated(make):
    report = without_decisions(make, "done")
    not_run = (GateResult.NOT_EVALUATED, "not run")
    assert [(gate.result, gate.remark) for gate in gates(report)] == [not_run] * 3
    assert run_status(report).title == "Unfinished"


@pytest.mark.parametrize(
    ("problems", "measured"), [(["a"], "1 problem"), (["a", "b"], "2 problems")]
)
def test_data_with_problems_is_refused_by_data_gate(make, problems, measured):
    gate = next(gates(make.report(splits=(make.split(problems=problems),))))
    assert (gate.name, gate.result, gate.measured) == ("DataGate", GateResult.REFUSED, measured)


def test_unreadable_decision_is_not_evaluated(make):
    outcome = make.outcome(outputs={names.EVALUATION: Output("/gone")})
    _, gate, _ = gates(make.report(outcome=outcome, decision=None))
    assert (gate.name, gate.result) == ("Evaluator", GateResult.NOT_EVALUATED)
    assert gate.remark == "its decision could not be read"


def test_failed_gates_are_not_evaluated(make):
    report = without_decisions(make, "failed", names.EVALUATOR, names.SERVING_CHECK)
    data_gate, *others = gates(report)
    assert data_gate.remark == "not run"
    assert {gate.remark for gate in others} == {"it failed before its decision"}


def test_data_refused_by_ingestion_did_not_reach_data_gate(make):
    reason = "shard 1: record 7"
    report = without_decisions(make, "failed", names.EXAMPLE_GEN, ending="refused", failure=reason)
    gate = next(gates(report))
    assert (gate.result, gate.remark) == (GateResult.NOT_EVALUATED, "not run")
    assert run_status(report).detail == reason


def test_data_refused_by_data_gate_has_the_reason(make):
    report = without_decisions(
        make, "failed", names.DATA_GATE, ending="refused", failure="events were lost"
    )
    gate = next(gates(report))
    assert (gate.result, gate.remark) == (GateResult.REFUSED, "events were lost")


def test_validation_that_failed_for_another_reason_is_a_refusal(make):
    decision = GateDecision(False, 100, 0.8, None, (ThresholdCheck("AUC", 0.8, 0.7),))
    report = make.report(outcome=make.outcome(pushed=0), decision=decision)
    assert run_status(report).detail == "not pushed: refused by Evaluator"
    assert [gate.result.value for gate in gates(report)] == [
        "passed",
        "passed",
        "refused",
        "passed",
    ]


def test_undefined_auc_is_refused_with_the_reason_and_without_a_margin(make):
    check = ThresholdCheck("AUC", math.nan, 0.7, fault="all 100 events are signal")
    decision = GateDecision(False, 100, math.nan, None, (check,))
    report = make.report(outcome=make.outcome(pushed=0), decision=decision)
    assert run_status(report).detail.endswith(
        "Evaluator: AUC, which is undefined: all 100 events are signal"
    )
    assert [gate.measured for gate in gates(report)][1] == "–"


def make_undecided(make, when_undecided, servable=1):
    check = ThresholdCheck("AUC's bound", -0.004, -0.002, True, undecided="more events would do")
    blessing = {names.INFRA_BLESSING: Output("/b", {names.BLESSED_PROPERTY: servable})}
    return make.report(
        outcome=make.outcome(pushed=0, outputs=blessing),
        decision=GateDecision(False, 2000, 0.8, 0.8, (check,), when_undecided=when_undecided),
    )


def test_undecided_comparison_is_refused_with_what_would_decide(make):
    status = run_status(make_undecided(make, "refuse"))
    assert (status.level, status.title) == (Level.FAILURE, "Refused")
    assert status.detail.endswith("missed by 0.0020, undecided: more events would do")


def test_undecided_comparison_keeps_the_model_in_service_on_request(make):
    status = run_status(make_undecided(make, "keep-baseline"))
    assert (status.level, status.title) == (Level.NEUTRAL, "Kept")
    assert run_status(make_undecided(make, "keep-baseline", servable=0)).title == "Refused"


def test_too_few_events_are_refused_with_their_number(make):
    check = ThresholdCheck("events", 600.0, 1000.0, is_count=True)
    decision = GateDecision(False, 600, 0.8, None, (check,))
    report = make.report(outcome=make.outcome(pushed=0), decision=decision)
    assert run_status(report).detail.endswith("Evaluator: events, missed by 400")
    gate = list(gates(report))[1]
    assert (gate.measured, gate.limit, gate.result) == ("600", "at least 1,000", GateResult.REFUSED)
