"""Outcomes of runs as tables and lines for a terminal."""

import math
from collections.abc import Iterable, Iterator, Sequence

from rich.table import Table

from components.report.number_format import duration
from components.report.report_data import ReportData, read_report, read_summary
from components.report.report_tables import lineage, total_seconds
from components.report.run_status import run_status
from formats import names
from formats.evaluation_record import SliceEvaluation
from formats.gate_decision import GateDecision, ThresholdCheck
from formats.run_outcome import NodeRun, Push, RunOutcome

NONE = "-"
HEADINGS = ("run", "verdict", "version", "AUC", "test AUC", "events", "time")


def summary_table(outcome: RunOutcome) -> Table:
    """Returns every node of a run with its state, its time and its main result."""
    table = Table(title=f"run {outcome.run_id}", title_justify="left")
    table.add_column("node")
    table.add_column("state")
    table.add_column("time", justify="right")
    table.add_column("result", overflow="fold")
    for node in outcome.nodes.values():
        table.add_row(node.name, node.state, f"{node.seconds:.1f} s", _result(node))
    return table


def decision_lines(decision: GateDecision) -> Iterator[str]:
    """Yields the AUC, and each threshold with its margin."""
    baseline = decision.baseline_auc
    comparison = "" if baseline is None else f", baseline {_auc(baseline)}"
    fault = decision.auc_fault and f": {decision.auc_fault}"
    yield f"AUC {_auc(decision.auc)} on {decision.events:,} events{comparison}{fault}"
    for check in decision.checks:
        yield (
            f"gate: {check.name} {_measured(check, check.value)}, {check.requirement} "
            f"{_measured(check, check.limit)} needed: {_check_result(check)}{_interval(check)}"
        )


def published_line(test: SliceEvaluation) -> str:
    """Returns the AUC on the split that no gate depends on, which is the one to publish."""
    low, high = test.auc_interval
    interval = "" if math.isnan(low) else f", 95 % interval {low:.4f} to {high:.4f} (DeLong)"
    fault = test.auc_fault and f": {test.auc_fault}"
    return (
        f"test AUC {_auc(test.auc)}{interval}, on {test.events or 0:,} events that no gate "
        f"depends on{fault}"
    )


def _auc(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:.4f}"


def _measured(check: ThresholdCheck, value: float) -> str:
    if math.isnan(value):
        return "undefined"
    if check.is_count:
        return f"{value:,.0f}"
    return f"{value:+.4f}" if check.is_change else f"{value:.4f}"


def _check_result(check: ThresholdCheck) -> str:
    if math.isnan(check.margin):
        return f"UNDECIDED, {check.fault or 'the value is not a number'}"
    if check.undecided:
        return f"UNDECIDED by {_distance(check)}, {check.undecided}"
    return f"{'passed' if check.passed else 'MISSED'} by {_distance(check)}"


def _distance(check: ThresholdCheck) -> str:
    margin = abs(check.margin)
    return f"{margin:,.0f}" if check.is_count else f"{margin:.4f}"


def _interval(check: ThresholdCheck) -> str:
    if check.interval is None:
        return ""
    low, high = (_measured(check, bound) for bound in check.interval)
    return f"; 95 % interval {low} to {high}{check.method and f' ({check.method})'}"


def run_lines(runs: Iterable[RunOutcome]) -> Iterator[str]:
    """Yields a table with a line per run, in the given order, and its gates below it."""
    reports = [read_summary(run) for run in runs]
    rows = [_cells(report) for report in reports]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    yield _aligned(HEADINGS, widths)
    for report, row in zip(reports, rows, strict=True):
        yield _aligned(row, widths)
        if report.decision:
            yield from (f"  {line}" for line in _gate_lines(report.decision))


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def lineage_lines(run: RunOutcome) -> Iterator[str]:
    """Yields what a pushed version was made from, from the push back to the shards."""
    report = read_report(run)
    yield f"pushed by run {run.run_id}"
    for name, location in lineage(report):
        yield f"{name:<34}{location}"
    if report.decision:
        yield from decision_lines(report.decision)
    for split in report.splits:
        fingerprint = f", fingerprint {split.fingerprint}" if split.fingerprint else ""
        yield f"data: {split.events:,} {split.name} events{fingerprint}"
    if report.training:
        values = report.training.hyperparameters.items()
        yield f"hyperparameters: {', '.join(f'{name}={value}' for name, value in values)}"


def _result(node: NodeRun) -> str:
    facts = []
    for key, output in node.outputs.items():
        for split in names.SPLITS:
            count = output.properties.get(names.events_property(split))
            if count is not None:
                facts.append(f"{count:,} {split} events")
        if key == names.BLESSING.key and output.is_blessed is not None:
            facts.append("blessed" if output.is_blessed else "not blessed")
        if push := Push.from_output(output):
            facts.append(f"version {push.version}")
    return ", ".join(sorted(facts))


def _cells(report: ReportData) -> list[str]:
    run, decision = report.outcome, report.decision
    return [
        run.run_id,
        run_status(report).title,
        run.push.version if run.push else NONE,
        _auc(decision.auc) if decision else NONE,
        _auc(report.test.auc) if report.test else NONE,
        f"{sum(run.events.values()):,}",
        duration(total_seconds(run)),
    ]


def _gate_lines(decision: GateDecision) -> Iterator[str]:
    """Yields one short line per threshold."""
    for check in decision.checks:
        limit = f"{check.requirement} {_measured(check, check.limit)}"
        result, _, _ = _check_result(check).partition(", ")
        yield (
            f"{check.name} {_measured(check, check.value)}, {limit}: {result.lower()}"
            f"{_interval(check)}"
        )
