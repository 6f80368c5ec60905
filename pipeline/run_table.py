"""Runs and lineages in a terminal."""

from collections.abc import Iterable, Iterator

from rich.table import Table

from components.report.data_section import ingested_splits
from components.report.report_data import ReportData, read_report, read_summary
from components.report.report_tables import duration, lineage, total_seconds
from components.report.run_status import headline
from formats.run_outcome import RunOutcome
from pipeline.console import verdict_lines

NONE = "-"


def run_table(runs: Iterable[RunOutcome]) -> Table:
    """A line a run, in the order given."""
    table = Table()
    for heading in ("run", "verdict", "version"):
        table.add_column(heading, overflow="fold")
    for heading in ("AUC", "events", "time"):
        table.add_column(heading, justify="right")
    for run in runs:
        table.add_row(*_cells(read_summary(run)))
    return table


def lineage_lines(run: RunOutcome) -> Iterator[str]:
    """What a pushed version was made from, from the push back to the shards."""
    report = read_report(run)
    yield f"pushed by run {run.run_id}"
    for what, where in lineage(report):
        yield f"{what:<34}{where}"
    if report.verdict:
        yield from verdict_lines(report.verdict)
    for split in report.splits:
        known = f", fingerprint {split.fingerprint}" if split.fingerprint else ""
        yield f"data: {split.events:,} {split.name} events{known}"
    if report.training:
        values = report.training.hyperparameters.items()
        yield f"hyperparameters: {', '.join(f'{name}={value}' for name, value in values)}"


def _cells(report: ReportData) -> list[str]:
    run, verdict = report.outcome, report.verdict
    pushed = run.output("Pusher", "pushed_model")
    version = pushed.properties.get("pushed_version", NONE) if pushed else NONE
    return [
        run.run_id,
        headline(report).title,
        str(version),
        f"{verdict.auc:.4f}" if verdict else NONE,
        f"{sum(ingested_splits(run).values()):,}",
        duration(total_seconds(run)),
    ]
