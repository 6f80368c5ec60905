import io
import json

import pytest
from rich.console import Console

from benchmarks import machine, results
from benchmarks.harness import Measure, Measurement, Sense

MACHINE = {"cpu": "A processor", "cores": 2, "memory_gb": 8.0, "python": "3.10.1"}
KEYS = ["name", "unit", "ours", "peer", "ratio", "goal", "met"]


def measured(name="ingestion", ours=100.0, peer=(2.0, 2.0, 4.0)):
    return Measurement(
        Measure(name, "events/s", 25, Sense.AT_LEAST), (ours, ours + 1, ours - 1), peer, "1,000"
    )


def test_merge_replaces_by_name_and_keeps_the_order():
    before = [{"name": "a", "ours": 1}, {"name": "b", "ours": 2}]
    assert results.merge(before, [{"name": "a", "ours": 3}, {"name": "c", "ours": 4}]) == [
        {"name": "a", "ours": 3},
        {"name": "b", "ours": 2},
        {"name": "c", "ours": 4},
    ]


def test_saved_results_are_a_list_of_records_that_grows(tmp_path):
    results.save([measured()], MACHINE, tmp_path / "out")
    results.save([measured("overhead", peer=())], MACHINE, tmp_path / "out")
    records = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [record["name"] for record in records] == ["ingestion", "overhead"]
    assert all(list(record) == KEYS for record in records)
    assert records[0]["ratio"] == 50.0
    assert (records[1]["peer"], records[1]["ratio"]) == (None, None)


def test_a_rerun_replaces_its_record(tmp_path):
    for ours in (100.0, 200.0):
        results.save([measured(ours=ours)], MACHINE, tmp_path)
    records, details = results.load(tmp_path)
    assert [record["ours"] for record in records] == [200.0]
    assert details["machine"] == MACHINE
    assert details["measurements"]["ingestion"]["ours_runs"] == [200.0, 201.0, 199.0]


def test_results_of_another_machine_are_dropped(tmp_path):
    results.save([measured("old")], {**MACHINE, "cores": 64}, tmp_path)
    results.save([measured("new")], MACHINE, tmp_path)
    records, details = results.load(tmp_path)
    assert [record["name"] for record in records] == ["new"]
    assert list(details["measurements"]) == ["new"]


def test_nothing_measured_yet(tmp_path):
    assert results.load(tmp_path) == ([], {})


@pytest.fixture
def shown(tmp_path):
    results.save(
        [measured(), measured("slow", ours=3.0), measured("alone", peer=())], MACHINE, tmp_path
    )
    console = Console(width=200, file=io.StringIO())
    console.print(results.table(*results.load(tmp_path)))
    return console.file.getvalue()


def test_table_tells_values_goal_and_verdict(shown):
    row = next(line for line in shown.splitlines() if "ingestion" in line)
    for cell in ("events/s", "100 (99..101)", "2 (2..4)", "50", "at least 25", "yes", "1,000"):
        assert cell in row
    assert " no " in next(line for line in shown.splitlines() if "slow" in line)
    assert " - " in next(line for line in shown.splitlines() if "alone" in line)


def test_table_names_the_machine(shown):
    assert "A processor, 2 cores, 8.0 GB; python 3.10.1" in shown


def test_this_machine_and_its_versions_are_named():
    described = machine.describe()
    assert described["cores"] >= 1
    assert described["memory_gb"] > 0
    assert described["tfx"] == "1.16.0"
    assert {"cpu", "python", "tensorflow", "beam", "tfdv", "tfma", "pyarrow", "numpy"} < set(
        described
    )
