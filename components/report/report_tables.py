"""Tables and lists of facts of the report, computed from its data."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from components.evaluator.score_cuts import SCORE_THRESHOLD
from components.evaluator.significance import expected_naive_significance, expected_significance
from components.report.figures import evaluation_figures
from components.report.number_format import duration, plural
from components.report.report_data import ReportData
from formats import names
from formats.evaluation_record import Evaluation, ScoreHistogram, SliceEvaluation
from formats.run_outcome import NodeRun, Output, RunOutcome, RunRecord
from formats.training_record import RefitRecord, TrainingRecord

UNKNOWN = "unknown"

LINEAGE = (
    ("trained model", names.MODEL),
    ("training record", names.MODEL_RUN),
    ("data verdict", names.DATA_VERDICT),
    ("reviewed schema", names.SCHEMA),
    ("statistics", names.STATISTICS),
    ("examples", names.EXAMPLES),
)
"""The artifacts that a model was made from, from the model to the data, with their labels."""


@dataclass(frozen=True)
class Cut:
    """A cut on the score: events with at least this score pass.

    Attributes:
        name: why this cut is of interest.
        threshold: the smallest score that passes.
        signal_efficiency: the share of signal that passes.
        background_efficiency: the share of background that passes.
        purity: the share of signal among the events that pass; NaN if none do.
        naive: s / sqrt(b) of the expected events; None if too few events pass to estimate it.
        ams: approximate median significance of the expected events.
    """

    name: str
    threshold: float
    signal_efficiency: float
    background_efficiency: float
    purity: float
    naive: float | None
    ams: float

    @property
    def rejection(self) -> float:
        """The inverse of the background efficiency; infinite when no background passes."""
        return 1 / self.background_efficiency if self.background_efficiency else math.inf


def slice_rows(evaluation: Evaluation) -> list[tuple[SliceEvaluation, float | None]]:
    """Lists all events, then every slice, each with the baseline's AUC on it, if there is one."""
    candidate, baseline = evaluation.candidate, evaluation.baseline
    compared = (baseline.overall, *baseline.slices) if baseline else ()
    aucs = {row.name: row.auc for row in compared}
    return [(row, aucs.get(row.name)) for row in (candidate.overall, *candidate.slices)]


def selected_cuts(scores: ScoreHistogram) -> Iterator[Cut]:
    """Yields the cuts at a score of 0.5, at half of the signal and at the maximum AMS.

    There are none without events of both classes.
    """
    if not scores.has_both_classes:
        return
    signal_efficiency, background_efficiency = evaluation_figures.efficiencies(scores)
    naive = expected_naive_significance(signal_efficiency, background_efficiency)
    ams = expected_significance(signal_efficiency, background_efficiency)
    signal, background = scores.cuts.signal, scores.cuts.background
    for name, index in (
        (f"score {SCORE_THRESHOLD:g}", evaluation_figures.threshold_cut(scores)),
        ("half of the signal", int(np.flatnonzero(signal_efficiency >= 0.5)[-1])),
        ("maximum AMS", int(ams.argmax())),
    ):
        events = signal[index] + background[index]
        yield Cut(
            name,
            threshold=float(np.clip(scores.cuts.thresholds[index], 0, 1)),
            signal_efficiency=float(signal_efficiency[index]),
            background_efficiency=float(background_efficiency[index]),
            purity=float(signal[index] / events) if events else math.nan,
            naive=float(naive[index])
            if background[index] >= evaluation_figures.MIN_EVENTS
            else None,
            ams=float(ams[index]),
        )


def run_facts(report: ReportData) -> dict[str, str]:
    """Lists when, how long, on which hardware and from which data and code a run was made."""
    outcome, training = report.outcome, report.training
    return {
        "Model version": outcome.push.version if outcome.push else "none",
        "Model path": outcome.push.destination if outcome.push else "none",
        "Run": outcome.run_id or UNKNOWN,
        "Started": _started(outcome),
        "Time of all nodes": duration(total_seconds(outcome)),
        "Events": ", ".join(f"{split.events:,} {split.name}" for split in report.splits) or UNKNOWN,
        "Strategy": _strategy(training),
        "Devices": (training and ", ".join(training.strategy.devices)) or UNKNOWN,
        "Precision": training.precision if training else UNKNOWN,
        "Seed": str(training.seed if training else report.configuration.get("seed", UNKNOWN)),
        "Code version": outcome.record.code_version or UNKNOWN,
        "Data fingerprint": ", ".join(
            f"{split.name} {split.fingerprint}" for split in report.splits if split.fingerprint
        )
        or UNKNOWN,
    }


def total_seconds(outcome: RunOutcome) -> float:
    """Adds up the time of all nodes; NaN if it is unknown."""
    return sum(node.seconds for node in outcome.nodes.values()) if outcome.nodes else math.nan


def node_state(node: NodeRun, record: RunRecord) -> str:
    """Describes the state of a node; nodes of runs that have ended are not running."""
    if node.state == "running":
        return "interrupted" if record.ending else "running, or interrupted without a record"
    return "cached (from an earlier run)" if node.state == "cached" else node.state


def _events_in_memory(training: TrainingRecord) -> str:
    total, held = training.events.get("train", 0), training.events_in_memory
    return f"{held:,} at a time of {total:,}" if 0 < held < total else f"all {total:,}"


def _resume(training: TrainingRecord | RefitRecord) -> str:
    if training.resumed_step:
        return f"{training.resumed_at} and {plural(training.resumed_step, 'step')}"
    return str(training.resumed_at or "never")


def _refit(refit: RefitRecord | None) -> str:
    if refit is None:
        return "none"
    text = (
        f"network and trees were trained again on all {refit.events:,} events, with the epoch and "
        "the blend that the first training chose on its validation events"
    )
    resumed = _resume(refit)
    return text if resumed == "never" else f"{text}; resumed after epoch {resumed}"


def training_facts(training: TrainingRecord) -> dict[str, str]:
    """Lists the facts of a training."""
    return {
        "Epochs": f"{len(training.epochs)}, the weights of epoch {training.epoch_kept} kept",
        "Throughput": f"{training.events_per_second:,.0f} events/s",
        "Time": duration(training.seconds),
        "Events in memory": _events_in_memory(training),
        "Batch": plural(training.batch_size, "event"),
        "Steps per epoch": str(training.steps_per_epoch),
        "Boosted trees": _trees(training),
        "Refit": _refit(training.refit),
        "Warm start": (
            f"{plural(len(training.warm_start), 'weight')} of an earlier model"
            if training.warm_start
            else "none"
        ),
        "Resumed after epoch": _resume(training),
    }


def lineage(report: ReportData) -> list[tuple[str, str]]:
    """Lists labels and locations of the artifacts from the pushed model back to the shards."""
    outcome = report.outcome
    artifacts = [(label, uri) for label, output in LINEAGE if (uri := outcome.uri(output))]
    blessing = outcome.output(names.BLESSING)
    baseline = blessing.properties.get(names.BASELINE_PROPERTY) if blessing else None
    version = blessing.properties.get(names.BASELINE_VERSION_PROPERTY) if blessing else None
    label = f"compared with version {version}" if version else "compared with the baseline"
    comparison = [(label, str(baseline))] if baseline else []
    shards = str(report.configuration.get("data_root", UNKNOWN))
    return [*_decisions(outcome), *artifacts, *comparison, ("shards", shards)]


def _decisions(outcome: RunOutcome) -> Iterator[tuple[str, str]]:
    """Yields the decisions on the model and the locations of their artifacts."""
    pushed_model = outcome.uri(names.PUSHED_MODEL)
    if pushed_model:
        yield "pushed model" if outcome.push else "not pushed", pushed_model
    evaluation = outcome.uri(names.EVALUATION)
    if evaluation:
        decision = _describe_blessing(outcome.output(names.BLESSING))
        yield f"{decision} by {names.EVALUATOR}", evaluation
    infra_blessing = outcome.output(names.INFRA_BLESSING)
    if infra_blessing:
        decision = _describe_blessing(infra_blessing)
        yield f"{decision} by {names.SERVING_CHECK}", infra_blessing.uri


def _describe_blessing(blessing: Output | None) -> str:
    if blessing is None or blessing.is_blessed is None:
        return "evaluated"
    return "blessed" if blessing.is_blessed else "refused"


def _started(outcome: RunOutcome) -> str:
    starts = [node.started for node in outcome.nodes.values() if node.started is not None]
    if not starts:
        return UNKNOWN
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(min(starts)))


def _strategy(training: TrainingRecord | None) -> str:
    if training is None:
        return UNKNOWN
    return f"{training.strategy.replicas} x {training.strategy.kind.upper()}"


def _trees(training: TrainingRecord) -> str:
    trees, blend = training.trees, training.blend
    if trees is None:
        return "none"
    size = f"{trees.trees:,} trees, {trees.leaves:,} leaves"
    if blend is None:
        return size
    return f"{size}; logit = {blend.network:.2f} network + {blend.leaves:.2f} leaves"
