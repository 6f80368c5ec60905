"""The report of a local run, from ML Metadata and the artifacts recorded there."""

from pathlib import Path

from components.report.html_page import render
from components.report.report_data import read_report
from formats import names
from formats.atomic_files import write_text
from formats.run_outcome import RunOutcome
from pipeline import metadata_store


def write_report(metadata_path: str, run: RunOutcome, path: Path) -> None:
    """Renders the report of a run to a file."""
    write_text(path, render(read_report(run, earlier_data(metadata_path, run))))


def report_path(root: str, run: RunOutcome) -> Path:
    """Returns where a run's report is stored, under a name that every file system accepts."""
    return Path(root) / "reports" / f"{run.run_id.replace(':', '-')}.html"


def earlier_data(metadata_path: str, run: RunOutcome) -> RunOutcome | None:
    """Finds the latest earlier run with other histograms than this one; None if there is none."""
    histograms = run.uri(names.HISTOGRAMS)
    runs = metadata_store.all_runs(metadata_path)
    if histograms is None or all(newer.run_id != run.run_id for newer in runs):
        return None
    # The search above has consumed the newer runs; only older ones are left.
    for older in runs:
        if older.uri(names.HISTOGRAMS) not in (None, histograms):
            return older
    return None
