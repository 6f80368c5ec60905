"""Status of a run, and the result of each of its gates."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from components.report.number_format import fixed, plural
from components.report.report_data import ReportData
from formats import names
from formats.gate_decision import GateDecision
from formats.names import NodeOutput
from formats.run_outcome import RunOutcome


class Level(str, Enum):
    """How a run ended: pushed, refused or failed, or neither."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"


class GateResult(str, Enum):
    """The result of a gate."""

    PASSED = "passed"
    REFUSED = "refused"
    NOT_EVALUATED = "not evaluated"


@dataclass(frozen=True)
class RunStatus:
    """Status of a run.

    Attributes:
        level: how the run ended.
        title: the status in one or two words.
        detail: the version, the refusing gates or the reasons of a failure.
    """

    level: Level
    title: str
    detail: str


@dataclass(frozen=True)
class Gate:
    """One gate of a run.

    Attributes:
        name: the gate's name.
        measured: the measured value.
        limit: the value that is required.
        margin: by how much the limit was passed, negative if missed; NaN if the measured value is
            undefined, None if there is none.
        result: the gate's result.
        remark: why the gate refused or was not evaluated.
        digits: decimal places of the margin.
        interval: the 95 % confidence interval of the measured value; None if there is none.
    """

    name: str
    measured: str
    limit: str
    margin: float | None
    result: GateResult
    remark: str = ""
    digits: int = 4
    interval: tuple[float, float] | None = None


_ENDINGS = {
    "refused": (Level.FAILURE, "Data refused"),
    "failed": (Level.FAILURE, "Failed"),
    "interrupted": (Level.NEUTRAL, "Interrupted"),
    "evaluated": (Level.NEUTRAL, "Evaluated"),
}


def run_status(report: ReportData) -> RunStatus:
    """Determines the status of a run, even if little is known of it."""
    outcome = report.outcome
    if outcome.record.ending in _ENDINGS:
        level, title = _ENDINGS[outcome.record.ending]
        return RunStatus(level, title, outcome.record.failure or "No reason was recorded.")
    if outcome.output(names.PUSHED_MODEL) is None:
        failed = [node.name for node in outcome.nodes.values() if node.state == "failed"]
        if failed:
            return RunStatus(
                Level.FAILURE, "Failed", f"in {', '.join(failed)}; the log has the reason"
            )
        return RunStatus(Level.NEUTRAL, "Unfinished", f"The run did not reach {names.PUSHER}.")
    if outcome.push:
        note = " by an earlier run; nothing has changed since"
        cached = note if outcome.is_cached(names.PUSHER) else ""
        return RunStatus(Level.SUCCESS, "Pushed", f"as version {outcome.push.version}{cached}")
    if report.decision and report.decision.keeps_baseline and is_servable(outcome):
        detail = "the comparison is undecided, so the model in service stays"
        return RunStatus(Level.NEUTRAL, "Kept", detail)
    refusals = [_refusal(gate) for gate in gates(report) if gate.result is GateResult.REFUSED]
    detail = f"not pushed: refused by {', '.join(refusals) or 'a gate'}"
    return RunStatus(Level.FAILURE, "Refused", detail)


def is_servable(outcome: RunOutcome) -> bool:
    """Returns whether ServingCheck has blessed the model of a run."""
    blessing = outcome.output(names.INFRA_BLESSING)
    return bool(blessing and blessing.is_blessed)


def gates(report: ReportData) -> Iterator[Gate]:
    """Lists every gate in the order of the data flow, evaluated or not."""
    yield _data_gate(report)
    if report.decision is None:
        yield _not_evaluated(report, names.EVALUATION, measured="AUC", limit="")
    else:
        yield from evaluator_gates(report.decision)
    yield _serving_gate(report)


def _refusal(gate: Gate) -> str:
    if gate.margin is None:
        return gate.name
    if math.isnan(gate.margin):
        return f"{gate.name}, which is undefined{gate.remark and ': '}{gate.remark}"
    missed = f"{gate.name}, missed by {fixed(-gate.margin, gate.digits)}"
    return f"{missed}, {gate.remark}" if gate.remark else missed


def _data_gate(report: ReportData) -> Gate:
    outcome = report.outcome
    problems = [problem for split in report.splits for problem in split.problems or ()]
    passed = outcome.output(names.DATA_VERDICT) is not None
    measured = plural(len(problems), "problem") if passed or problems else ""
    limit = "no problems"
    failed = outcome.state(names.DATA_GATE) == "failed"
    if names.DATA_GATE in outcome.nodes and (problems or failed):
        remark = "listed under Data" if problems else outcome.record.failure
        return Gate(names.DATA_GATE, measured, limit, None, GateResult.REFUSED, remark)
    if passed:
        return Gate(names.DATA_GATE, measured, limit, None, GateResult.PASSED)
    return _not_evaluated(report, names.DATA_VERDICT, measured, limit)


def evaluator_gates(decision: GateDecision) -> Iterator[Gate]:
    """Lists the Evaluator's thresholds."""
    for check in decision.checks:
        digits = 0 if check.is_count else 4
        yield Gate(
            f"{names.EVALUATOR}: {check.name}",
            fixed(check.value, digits, signed=check.is_change),
            f"{check.requirement} {fixed(check.limit, digits, signed=check.is_change)}",
            check.margin,
            GateResult.PASSED if check.passed else GateResult.REFUSED,
            check.fault or (check.undecided and f"undecided: {check.undecided}"),
            digits,
            check.interval,
        )
    if not decision.passed and all(check.passed for check in decision.checks):
        remark = "TFMA's validation failed although no limit above was missed"
        yield Gate(names.EVALUATOR, "", "", None, GateResult.REFUSED, remark)


def _serving_gate(report: ReportData) -> Gate:
    blessing = report.outcome.output(names.INFRA_BLESSING)
    limit = "scores of the trained model, in a fresh process"
    if blessing is None:
        return _not_evaluated(report, names.INFRA_BLESSING, "", limit)
    if blessing.is_blessed:
        return Gate(names.SERVING_CHECK, "reproduced", limit, None, GateResult.PASSED)
    return Gate(names.SERVING_CHECK, "fault", limit, None, GateResult.REFUSED, report.serving_fault)


def _not_evaluated(report: ReportData, output: NodeOutput, measured: str, limit: str) -> Gate:
    """Describes a gate without a decision: not run, failed, or unreadable."""
    if report.outcome.output(output) is not None:
        remark = "its decision could not be read"
    elif report.outcome.state(output.node) == "failed":
        remark = "it failed before its decision"
    else:
        remark = "not run"
    return Gate(output.node, measured, limit, None, GateResult.NOT_EVALUATED, remark)
