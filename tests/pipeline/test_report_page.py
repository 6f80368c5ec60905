import pytest

from formats.run_outcome import RunOutcome
from pipeline.metadata_store import find_run
from pipeline.report_page import earlier_data, report_path, write_report


@pytest.mark.parametrize(
    ("run_id", "earlier"),
    [("2026-01-01", None), ("2026-01-02", None), ("2026-02-03", "2026-01-02")],
)
def test_data_is_compared_with_that_of_the_latest_run_on_other_data(pushed_twice, run_id, earlier):
    run = earlier_data(pushed_twice.path, find_run(pushed_twice.path, run_id))
    assert (run and run.run_id) == earlier


def test_run_without_histograms_or_that_is_not_recorded_is_compared_with_none(pushed_twice):
    recorded = find_run(pushed_twice.path, "2026-02-03")
    assert earlier_data(pushed_twice.path, RunOutcome("2026-02-03", {})) is None
    assert earlier_data(pushed_twice.path, RunOutcome("of another root", recorded.nodes)) is None


def test_name_of_a_page_is_valid_on_every_file_system():
    path = report_path("/root", RunOutcome("2026-01-01T12:00:00.5", {}))
    assert str(path) == "/root/reports/2026-01-01T12-00-00.5.html"


def test_page_is_written_for_a_run_whose_artifacts_and_record_are_gone(pushed_twice, tmp_path):
    run = find_run(pushed_twice.path, "2026-02-03")
    write_report(pushed_twice.path, run, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "Refused" in text
    assert "<strong>run record</strong>: content: Invalid JSON" in text
    assert "<strong>histograms</strong>: " in text
    assert "/pushed/2" in text
