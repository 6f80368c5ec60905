import io
import json

from rich.console import Console

from formats.run_outcome import NodeRun, Output, RunOutcome, RunRecord
from pipeline.metadata_store import all_runs, find_run
from pipeline.run_table import lineage_lines, run_table


def cells(runs):
    screen = io.StringIO()
    Console(file=screen, width=160).print(run_table(runs))
    lines = [line for line in screen.getvalue().splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_a_line_a_run_the_newest_first(pushed_twice):
    rows = cells(all_runs(pushed_twice.path))
    assert [row[:5] for row in rows] == [
        ["2026-02-03", "Refused", "-", "-", "0"],
        ["2026-01-02", "Pushed", "17", "-", "0"],
        ["2026-01-01", "Pushed", "17", "-", "6,000"],
    ]
    assert all(row[5].endswith(" s") for row in rows)


def test_run_that_left_nothing_has_a_line():
    assert cells([RunOutcome("r", {})]) == [["r", "Unfinished", "-", "-", "0", "unknown"]]


def test_lineage_names_places_events_and_shards():
    outputs = {
        "CollisionExampleGen": {"examples": Output("/examples", {"events_train": 4000})},
        "Pusher": {"pushed_model": Output("/pushed", {"pushed": 1})},
    }
    nodes = {name: NodeRun(name, "done", 1.0, made) for name, made in outputs.items()}
    record = RunRecord(json.dumps({"data_root": "/data"}))
    assert list(lineage_lines(RunOutcome("run-1", nodes, record))) == [
        "pushed by run run-1",
        f"{'pushed model':<34}/pushed",
        f"{'events':<34}/examples",
        f"{'shards':<34}/data",
        "data: 4,000 train events",
    ]


def test_lineage_of_a_run_whose_record_is_damaged_says_what_is_known(pushed_twice):
    lines = list(lineage_lines(find_run(pushed_twice.path, "2026-02-03")))
    assert lines[1:] == [f"{'not pushed':<34}/pushed/2", f"{'shards':<34}unknown"]
