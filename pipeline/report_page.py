"""Writes the page of a local run, from ML Metadata and the artifacts that it names."""

import os
from pathlib import Path

from components.report.html_page import render
from components.report.report_data import read_report
from formats.run_outcome import RunOutcome
from pipeline import metadata_store


def write_report(metadata_path: str, run: RunOutcome, path: Path) -> None:
    """Renders a run's page, and puts it in its place whole."""
    write_page(render(read_report(run, earlier_data(metadata_path, run))), path)


def write_page(page: str, path: Path) -> None:
    """Writes a page aside first, so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(page, encoding="utf-8")
    aside.replace(path)


def report_path(root: str, run: RunOutcome) -> Path:
    """Where a run's page is kept; its name is one that every file system takes."""
    return Path(root) / "reports" / f"{run.run_id.replace(':', '-')}.html"


def earlier_data(metadata_path: str, run: RunOutcome) -> RunOutcome | None:
    """The latest earlier run that counted other data than this one; None if there is none."""
    counted = run.output("HistogramGen", "histograms")
    runs = metadata_store.all_runs(metadata_path)
    if counted is None or all(newer.run_id != run.run_id for newer in runs):
        return None
    # What the search above left of the runs is older than this one.
    for older in runs:
        histograms = older.output("HistogramGen", "histograms")
        if histograms and histograms.uri != counted.uri:
            return older
    return None
