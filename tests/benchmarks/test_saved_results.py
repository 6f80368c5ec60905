import functools
import io
import json

import pytest
from rich.console import Console

from benchmarks import command_line, machine_description, saved_results
from benchmarks.measurement import Measure, Measurement, Sense

MACHINE = {"cpu": "A processor", "cores": 2, "memory_gb": 8.0, "python": "3.10.1"}
KEYS = ["name", "unit", "ours", "peer", "ratio", "goal", "met"]


def measurement(name="ingestion", ours=100.0, peer=(2.0, 2.0, 4.0)):
    return Measurement(
        Measure(name, "events/s", 25, Sense.AT_LEAST), (ours, ours + 1, ours - 1), peer, "1,000"
    )


def test_merge_replaces_by_name_and_keeps_the_order():
    previous = [{"name": "a", "ours": 1}, {"name": "b", "ours": 2}]
    assert saved_results.merge(previous, [{"name": "a", "ours": 3}, {"name": "c", "ours": 4}]) == [
        {"name": "a", "ours": 3},
        {"name": "b", "ours": 2},
        {"name": "c", "ours": 4},
    ]


def test_saving_adds_records(tmp_path):
    saved_results.save([measurement()], MACHINE, tmp_path / "out")
    saved_results.save([measurement("overhead", peer=())], MACHINE, tmp_path / "out")
    records = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [record["name"] for record in records] == ["ingestion", "overhead"]
    assert all(list(record) == KEYS for record in records)
    assert records[0]["ratio"] == 50.0
    assert (records[1]["peer"], records[1]["ratio"]) == (None, None)


def test_repeated_benchmarks_replace_their_records(tmp_path):
    for ours in (100.0, 200.0):
        saved_results.save([measurement(ours=ours)], MACHINE, tmp_path)
    records, details = saved_results.load(tmp_path)
    assert [record["ours"] for record in records] == [200.0]
    assert details["machine"] == MACHINE
    assert details["measurements"]["ingestion"]["ours_runs"] == [200.0, 201.0, 199.0]


def test_results_of_another_machine_are_deleted(tmp_path):
    saved_results.save([measurement("old")], {**MACHINE, "cores": 64}, tmp_path)
    saved_results.save([measurement("new")], MACHINE, tmp_path)
    records, details = saved_results.load(tmp_path)
    assert [record["name"] for record in records] == ["new"]
    assert list(details["measurements"]) == ["new"]


def test_without_saved_results_records_and_details_are_empty(tmp_path):
    assert saved_results.load(tmp_path) == ([], {})


@pytest.fixture
def table_text(tmp_path):
    saved_results.save(
        [measurement(), measurement("slow", ours=3.0), measurement("alone", peer=())],
        MACHINE,
        tmp_path,
    )
    console = Console(width=200, file=io.StringIO())
    console.print(saved_results.table(*saved_results.load(tmp_path)))
    return console.file.getvalue()


def test_the_table_has_values_goals_and_whether_they_are_met(table_text):
    row = next(line for line in table_text.splitlines() if "ingestion" in line)
    for cell in ("events/s", "100 (99..101)", "2 (2..4)", "50", "at least 25", "yes", "1,000"):
        assert cell in row
    assert " no " in next(line for line in table_text.splitlines() if "slow" in line)
    assert " - " in next(line for line in table_text.splitlines() if "alone" in line)


def test_the_table_names_the_machine(table_text):
    assert "A processor, 2 cores, 8.0 GB; python 3.10.1" in table_text


def test_the_machine_and_its_versions_are_described():
    machine = machine_description.describe()
    assert machine["cores"] >= 1
    assert machine["memory_gb"] > 0
    assert machine["tfx"] == "1.16.0"
    assert {"cpu", "python", "tensorflow", "beam", "tfdv", "tfma", "pyarrow", "numpy"} < set(
        machine
    )


def test_nothing_is_shown_before_anything_was_saved(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(saved_results, "load", functools.partial(saved_results.load, tmp_path))
    command_line.show(["ingestion"])
    assert capsys.readouterr().out == ""
