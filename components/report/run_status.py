"""What became of a run in one sentence, and what each gate had to say."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from components.report.number_format import fixed
from components.report.report_data import ReportData
from formats.gate_decision import Check, Verdict


class Tone(str, Enum):
    """How an ending, or a gate's word, is to be taken."""

    GOOD = "good"
    BAD = "bad"
    OPEN = "open"


@dataclass(frozen=True)
class Headline:
    """A run's ending: a word or two, and a sentence."""

    tone: Tone
    title: str
    sentence: str


@dataclass(frozen=True)
class Gate:
    """One gate's word.

    Attributes:
      name: the gate.
      measured: what it looked at.
      limit: what it wanted.
      margin: by how much it was passed (missed, if negative); None where nothing is measured.
      tone: passed, refused, or never asked.
      remark: its reason, when it refused, or why it has no word.
    """

    name: str
    measured: str
    limit: str
    margin: float | None
    tone: Tone
    remark: str = ""


def headline(report: ReportData) -> Headline:
    """What became of the run, whatever is known of it."""
    record, pushed = report.outcome.record, report.outcome.output("Pusher", "pushed_model")
    if record.ending in _ENDINGS:
        tone, title = _ENDINGS[record.ending]
        return Headline(tone, title, record.failure or "No reason was kept.")
    if pushed is None:
        failed = [node.name for node in report.outcome.nodes.values() if node.state == "failed"]
        if failed:
            return Headline(Tone.BAD, "Failed", f"in {', '.join(failed)}; the log has the reason")
        return Headline(Tone.OPEN, "Unfinished", "The run did not get as far as the push.")
    if pushed.properties.get("pushed"):
        version = pushed.properties.get("pushed_version", "unknown")
        earlier = report.outcome.is_cached("Pusher")
        note = " by an earlier run; nothing has changed since" if earlier else ""
        return Headline(Tone.GOOD, "Pushed", f"as version {version}{note}")
    refusing = ", ".join(_refusal(gate) for gate in gates(report) if gate.tone is Tone.BAD)
    return Headline(Tone.BAD, "Refused", f"not pushed: refused by {refusing or 'a gate'}")


def gates(report: ReportData) -> Iterator[Gate]:
    """Every gate on the data's way, asked or not."""
    yield _data_gate(report)
    if report.verdict is None:
        yield _unheard(report, "Evaluator", "AUC", "", "evaluation")
    else:
        yield from _evaluator(report.verdict)
    yield _serving_check(report)


def _refusal(gate: Gate) -> str:
    if gate.margin is None:
        return gate.name
    if math.isnan(gate.margin):
        return f"{gate.name}, which is no number"
    return f"{gate.name}, missed by {fixed(-gate.margin)}"


_ENDINGS = {
    "refused": (Tone.BAD, "Data refused"),
    "failed": (Tone.BAD, "Failed"),
    "interrupted": (Tone.OPEN, "Interrupted"),
    "evaluated": (Tone.OPEN, "Evaluated"),
}


def _data_gate(report: ReportData) -> Gate:
    problems = [problem for split in report.splits for problem in split.problems or ()]
    passed = report.outcome.output("DataGate", "verdict") is not None
    measured = f"{len(problems)} problems" if passed or problems else ""
    refused = report.outcome.state("DataGate") == "failed"
    if "DataGate" in report.outcome.nodes and (problems or refused):
        remark = "see the data below" if problems else report.outcome.record.failure
        return Gate("DataGate", measured, "none", None, Tone.BAD, remark)
    if passed:
        return Gate("DataGate", measured, "none", None, Tone.GOOD)
    return _unheard(report, "DataGate", measured, "none", "verdict")


def _evaluator(verdict: Verdict) -> Iterator[Gate]:
    for check in verdict.checks:
        measured = fixed(check.value, signed=check.is_change)
        limit = f"at least {fixed(check.limit, signed=check.is_change)}"
        yield Gate(f"Evaluator: {check.name}", measured, limit, check.margin, _tone(check))
    if not verdict.passed and all(_tone(check) is Tone.GOOD for check in verdict.checks):
        remark = "TFMA's validation failed, though no limit above was missed"
        yield Gate("Evaluator", "", "", None, Tone.BAD, remark)


def _tone(check: Check) -> Tone:
    return Tone.GOOD if check.margin >= 0 else Tone.BAD


def _serving_check(report: ReportData) -> Gate:
    blessing = report.outcome.output("ServingCheck", "blessing")
    limit = "scores as trained, in a fresh process"
    if blessing is None:
        return _unheard(report, "ServingCheck", "", limit, "blessing")
    if blessing.properties.get("blessed"):
        return Gate("ServingCheck", "served", limit, None, Tone.GOOD)
    return Gate("ServingCheck", "a fault", limit, None, Tone.BAD, report.serving_fault)


def _unheard(report: ReportData, node: str, measured: str, limit: str, output: str) -> Gate:
    """A gate that has no word: it was never asked, it failed, or its word cannot be read."""
    if report.outcome.output(node, output) is not None:
        remark = "its word could not be read"
    elif report.outcome.state(node) == "failed":
        remark = "it failed before it had a word"
    else:
        remark = "never asked"
    return Gate(node, measured, limit, None, Tone.OPEN, remark)
