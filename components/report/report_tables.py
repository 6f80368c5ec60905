"""Tables of the report: rows of plain values, computed from its data."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.evaluator.significance import median_significance, naive_significance
from components.report.figures.evaluation_figures import (
    WORKING_POINT,
    cut_yields,
    efficiencies,
)
from components.report.report_data import ReportData
from formats.evaluation_record import Evaluation, Measured, Scores
from formats.run_outcome import NodeRun, Output, RunOutcome, RunRecord

UNKNOWN = "unknown"

LINEAGE = (
    ("trained model", "Trainer", "model"),
    ("hyperparameters and history", "Trainer", "model_run"),
    ("data verdict", "DataGate", "verdict"),
    ("reviewed schema", "ImportSchemaGen", "schema"),
    ("statistics", "StatisticsGen", "statistics"),
    ("events", "CollisionExampleGen", "examples"),
)
"""What a model was made from, nearest first: in words, and the output that it is."""


@dataclass(frozen=True)
class SliceRow:
    """One slice: the candidate's evaluation, and the baseline's AUC if there is one."""

    measured: Measured
    baseline_auc: float | None

    @property
    def change(self) -> float | None:
        """How far the candidate's AUC is above the baseline's."""
        return None if self.baseline_auc is None else self.measured.auc - self.baseline_auc


@dataclass(frozen=True)
class Cut:
    """What a cut on the score does; yields are expected events."""

    name: str
    score: float
    signal_efficiency: float
    background_efficiency: float
    purity: float
    naive: float | None
    median: float

    @property
    def rejection(self) -> float:
        """The inverse of the background's efficiency; infinite when nothing passes."""
        return 1 / self.background_efficiency if self.background_efficiency else float("inf")


def slice_rows(evaluation: Evaluation) -> list[SliceRow]:
    """The whole, then every slice."""
    candidate, baseline = evaluation.candidate, evaluation.baseline
    then = {m.name: m.auc for m in (baseline.overall, *baseline.slices)} if baseline else {}
    return [
        SliceRow(measured, then.get(measured.name))
        for measured in (candidate.overall, *candidate.slices)
    ]


def cuts(scores: Scores) -> Iterator[Cut]:
    """Cuts of interest: accuracy's, that of half the signal, and the most significant one.

    Without events of both classes there are none.
    """
    if not scores.has_both_classes:
        return
    places, s, b, sure = cut_yields(scores)
    pass_signal, pass_background = efficiencies(scores)
    median, naive = median_significance(s, b), naive_significance(s, b)
    signal, background = scores.passing()
    for name, at in (
        ("working point", round(WORKING_POINT * (len(places) - 1))),
        ("half of the signal", int(np.flatnonzero(pass_signal >= 0.5)[-1])),
        ("largest AMS", int(median.argmax())),
    ):
        passed = signal[at] + background[at]
        yield Cut(
            name,
            float(places[at]),
            float(pass_signal[at]),
            float(pass_background[at]),
            float(signal[at] / passed) if passed else float("nan"),
            float(naive[at]) if sure[at] else None,
            float(median[at]),
        )


def run_facts(report: ReportData) -> dict[str, str]:
    """When, how long, on what and from what: what is not known is said to be unknown."""
    outcome, training = report.outcome, report.training
    facts: Mapping[str, Any] = training.facts if training else {}
    pushed = outcome.output("Pusher", "pushed_model")
    push: Mapping[str, Any] = pushed.properties if pushed else {}
    strategy = facts.get("strategy") or {}
    return {
        "Model version": str(push.get("pushed_version") or "none"),
        "Model path": str(push.get("pushed_destination") or "none"),
        "Run": outcome.run_id or UNKNOWN,
        "Started": _started(outcome),
        "Time of all nodes": duration(total_seconds(outcome)),
        "Events": ", ".join(f"{split.events:,} {split.name}" for split in report.splits) or UNKNOWN,
        "Strategy": _strategy(strategy),
        "Devices": _devices(strategy.get("devices")),
        "Precision": str(facts.get("precision") or UNKNOWN),
        "Seed": str(facts.get("seed", report.configuration.get("seed", UNKNOWN))),
        "Code version": outcome.record.code_version or UNKNOWN,
        "Data fingerprint": ", ".join(
            f"{split.name} {split.fingerprint}" for split in report.splits if split.fingerprint
        )
        or UNKNOWN,
    }


def total_seconds(outcome: RunOutcome) -> float:
    """What all nodes took together; NaN when that is not known."""
    return sum(node.seconds for node in outcome.nodes.values()) if outcome.nodes else math.nan


def duration(seconds: float | None) -> str:
    """Seconds in words."""
    if seconds is None or math.isnan(seconds):
        return UNKNOWN
    minutes = f" ({seconds / 60:.1f} min)" if seconds >= 120 else ""
    return f"{seconds:,.1f} s{minutes}"


def state(node: NodeRun, record: RunRecord) -> str:
    """A node's state in words; one that a run was over before its end is in no run any more."""
    if node.state == "running":
        return "cut short" if record.ending else "running, or cut short without a word"
    return "cached (from an earlier run)" if node.state == "cached" else node.state


def training_facts(report: ReportData) -> dict[str, str]:
    """What is known of the training, in the order in which one asks."""
    training = report.training
    if training is None:
        return {}
    facts = training.facts
    rate = training.events_per_second
    kept = UNKNOWN if training.epoch_kept is None else training.epoch_kept
    return {
        "Epochs": f"{len(training.epochs)}, the weights of epoch {kept} kept",
        "Throughput": f"{rate:,.0f} events/s" if rate else UNKNOWN,
        "Time": duration(facts.get("seconds")),
        "Batch": f"{facts.get('batch_size', UNKNOWN)} events",
        "Steps an epoch": str(facts.get("steps_per_epoch", UNKNOWN)),
        "Boosted trees": _trees(facts),
        "Warm start": _warm_start(facts),
        "Resumed after epoch": str(facts.get("resumed_at") or "never"),
    }


def lineage(report: ReportData) -> list[tuple[str, str]]:
    """From the push, if there was one, back to the shards: what, and where."""
    outcome = report.outcome
    blessing = outcome.output("Evaluator", "blessing")
    baseline = blessing.properties.get("baseline_model") if blessing else None
    found = [
        (what, output.uri) for what, node, key in LINEAGE if (output := outcome.output(node, key))
    ]
    held_against = [("held against the baseline", str(baseline))] if baseline else []
    shards = str(report.configuration.get("data_root", UNKNOWN))
    return [*_decisions(outcome), *found, *held_against, ("shards", shards)]


def _decisions(outcome: RunOutcome) -> Iterator[tuple[str, str]]:
    """What was decided on the model, in words that say how, and where that is kept."""
    pushed = outcome.output("Pusher", "pushed_model")
    if pushed:
        yield ("pushed model" if pushed.properties.get("pushed") else "not pushed", pushed.uri)
    evaluation, blessing = (outcome.output("Evaluator", key) for key in ("evaluation", "blessing"))
    if evaluation:
        yield f"{_judged(blessing)} by the evaluation", evaluation.uri
    served = outcome.output("ServingCheck", "blessing")
    if served:
        yield f"{_judged(served)} by the serving check", served.uri


def _judged(blessing: Output | None) -> str:
    blessed = blessing.properties.get("blessed") if blessing else None
    return "judged" if blessed is None else "let through" if blessed else "refused"


def _started(outcome: RunOutcome) -> str:
    known = [
        node.started
        for node in outcome.nodes.values()
        if node.started is not None and math.isfinite(node.started)
    ]
    if not known:
        return UNKNOWN
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(min(known)))


def _strategy(strategy: Mapping[str, Any]) -> str:
    if not strategy:
        return UNKNOWN
    kind = strategy.get("kind")
    return f"{strategy.get('replicas', UNKNOWN)} x {str(kind).upper() if kind else UNKNOWN}"


def _devices(devices: Any) -> str:
    """Devices by name; a single one may be no list."""
    listed = devices if isinstance(devices, list) else [devices] if devices else []
    return ", ".join(map(str, listed)) or UNKNOWN


def _trees(facts: Mapping[str, Any]) -> str:
    trees, blend = facts.get("trees"), facts.get("blend") or {}
    if not trees:
        return "none"
    count, leaves = trees.get("trees", UNKNOWN), trees.get("leaves")
    grown = f"{count} trees, {UNKNOWN if leaves is None else f'{leaves:,}'} leaves"
    if not {"network", "leaves"} <= set(blend):
        return grown
    return f"{grown}; logit = {blend['network']:.2f} network + {blend['leaves']:.2f} leaves"


def _warm_start(facts: Mapping[str, Any]) -> str:
    taken = facts.get("warm_start")
    return f"{len(taken)} weights of an earlier model" if taken else "none"
