"""What became of a run in one sentence, and what each gate had to say."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from components.report.read import ReportData


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
      remark: its reason, when it refused.
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
        yield Gate("Evaluator", "AUC", "", None, Tone.OPEN, "never asked")
    for check in report.verdict.checks if report.verdict else ():
        tone = Tone.GOOD if check.margin >= 0 else Tone.BAD
        form = "+.4f" if check.is_change else ".4f"
        measured, limit = f"{check.value:{form}}", f"at least {check.limit:{form}}"
        yield Gate(f"Evaluator: {check.name}", measured, limit, check.margin, tone)
    yield _serving_check(report)


def _refusal(gate: Gate) -> str:
    return gate.name if gate.margin is None else f"{gate.name}, missed by {-gate.margin:.4f}"


_ENDINGS = {
    "refused": (Tone.BAD, "Data refused"),
    "failed": (Tone.BAD, "Failed"),
    "interrupted": (Tone.OPEN, "Interrupted"),
    "evaluated": (Tone.OPEN, "Evaluated"),
}


def _data_gate(report: ReportData) -> Gate:
    problems = [problem for split in report.splits for problem in split.problems]
    passed = report.outcome.output("DataGate", "verdict") is not None
    if problems or report.outcome.record.ending == "refused":
        tone, remark = Tone.BAD, "see the data below" if problems else report.outcome.record.failure
    else:
        tone, remark = (Tone.GOOD, "") if passed else (Tone.OPEN, "never asked")
    asked = passed or bool(problems)
    return Gate(
        "DataGate", f"{len(problems)} problems" if asked else "", "none", None, tone, remark
    )


def _serving_check(report: ReportData) -> Gate:
    blessing = report.outcome.output("ServingCheck", "blessing")
    limit = "scores as trained, in a fresh process"
    if blessing is None:
        return Gate("ServingCheck", "", limit, None, Tone.OPEN, "never asked")
    if blessing.properties.get("blessed"):
        return Gate("ServingCheck", "served", limit, None, Tone.GOOD)
    return Gate("ServingCheck", "a fault", limit, None, Tone.BAD, report.serving_fault)
