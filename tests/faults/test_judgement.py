"""The campaign's judgement of made-up states: every violation is found."""

from types import SimpleNamespace

import pytest
from campaign import Prepared, plan, read_results, table
from file_layer import SIGNALS
from judgement import Reference, differences, lost, names_fault, wrongly_pushed
from scenarios import AGAIN, FIRST, HEAVY, SECOND
from workshop import Finished

MODEL, OTHER = {"saved_model.pb": "a", "variables/data": "b"}, {"saved_model.pb": "c"}
PATH = "/root/artifacts/Trainer/model/8/file"
REFERENCE = Reference(0, "AUC 0.5000 on 200 events", 1, (MODEL,), {})
GOOD = "AUC 0.5000 on 200 events\nPUSHED version 17"


def workshop(versions, models=()):
    return SimpleNamespace(versions=lambda: versions, models=lambda: list(models))


def finished(output=GOOD, code=0, call="write", path=PATH, known=("/root/serving/17",)):
    return Finished(code, output, (1, call, path), known=known)


@pytest.mark.parametrize(
    ("output", "fault", "is_good"),
    [
        (f"FAILED: OSError: [Errno 5] Input/output error: '{PATH}'", "EIO", True),
        (f"FAILED: OSError: [Errno 5] Input/output error: '{PATH}'", "torn write, EIO", True),
        (f"FAILED: OSError: [Errno 5] Input/output error: '{PATH}'", "ENOSPC", False),
        ("FAILED: OSError: [Errno 5] Input/output error", "EIO", False),
        (f"FAILED: cannot read {PATH}", "EIO", False),
        (f"Traceback\nOSError: [Errno 5] Input/output error: '{PATH}'", "EIO", False),
    ],
)
def test_a_message_has_the_reason_and_the_place_and_no_traceback(output, fault, is_good):
    assert names_fault(finished(output, code=1), fault, 0) is is_good


@pytest.mark.parametrize("fault", SIGNALS)
def test_an_interrupted_run_says_so(fault):
    assert names_fault(finished("INTERRUPTED in Trainer; run again to resume", 130), fault, 0)
    assert not names_fault(finished("FAILED in Trainer: KeyboardInterrupt", 1), fault, 0)


@pytest.mark.parametrize("code", [0, -9])
def test_a_tolerated_fault_and_a_killed_run_need_no_message(code):
    assert names_fault(finished("", code=code), "EIO", 0) is None


def test_a_version_of_a_model_that_is_not_allowed_is_detected():
    half = {"saved_model.pb": "a"}
    shop = workshop({"17": MODEL, "18": half, "19": OTHER}, models=[OTHER])
    found = wrongly_pushed(shop, FIRST, REFERENCE)
    assert [text.split()[1] for text in found] == ["18", "19"]
    [trainer] = [scenario for scenario in HEAVY if "Trainer" in scenario.real]
    assert len(wrongly_pushed(shop, trainer, REFERENCE)) == 1


def test_a_version_that_was_there_or_was_acknowledged_must_stay():
    assert lost({"17": MODEL}, workshop({"17": MODEL, "18": OTHER}), ["18", None]) == []
    assert lost({"17": MODEL}, workshop({"17": OTHER}), []) == ["version 17 is lost"]
    assert lost({}, workshop({"17": MODEL}), ["18"]) == ["version 18 is lost"]


def test_an_undisturbed_run_has_no_differences():
    assert differences(workshop({"17": MODEL}), finished(), REFERENCE) == []


@pytest.mark.parametrize(
    ("changes", "versions", "reason"),
    [
        ({"code": 3}, {"17": MODEL}, "exit code 3, not 0"),
        ({"output": "AUC 0.6000 on 200 events"}, {"17": MODEL}, "AUC 0.6000"),
        ({}, {"17": MODEL, "18": MODEL}, "2 versions, not 1"),
        ({"known": ()}, {"17": MODEL}, "['17'] are unknown"),
        ({"output": f"{GOOD}\nTraceback (most recent call last)"}, {"17": MODEL}, "traceback"),
    ],
)
def test_a_next_run_with_another_result_is_detected(changes, versions, reason):
    assert reason in " ".join(differences(workshop(versions), finished(**changes), REFERENCE))


def test_plan_takes_every_fault_once_and_few_of_sqlite_first():
    calls = [(1, "write", "/root/a")] * 6 + [(1, "fsync", "/root/metadata.sqlite")] * 10
    prepared = {each.name: Prepared(each, REFERENCE, calls) for each in (FIRST, AGAIN, SECOND)}
    tasks = plan(prepared, ["artifacts/x"], seed=1)
    # A write can fail in seven ways, a sync in four; three damages in two scenarios.
    assert len(tasks) == 3 * (6 * 7 + 10 * 4) + 6
    assert len({task.key for task in tasks}) == len(tasks)
    assert sum(not task.file and task.at >= 6 for task in tasks[:100]) == 25
    assert plan(prepared, ["artifacts/x"], seed=1) == tasks != plan(prepared, ["artifacts/x"], 2)


def test_results_of_a_stopped_campaign_are_read_without_its_torn_line(tmp_path):
    file = tmp_path / "faults.jsonl"
    assert read_results(file) == {}
    file.write_text('{"key": "a"}\n{"key": "b"}\n{"key": "c')
    assert sorted(read_results(file)) == ["a", "b"]


def test_table_counts_what_was_asked():
    common = {"nothing_lost": True, "nothing_wrong": True}
    results = [
        {"fault": "EIO", "message": True, "recovers": True, **common},
        {"fault": "EIO", "message": None, "recovers": False, **common},
        {"fault": "SIGKILL", "message": None, "recovers": True, **common},
    ]
    assert table(results).splitlines()[2:] == [
        "| EIO | 2 | 1 of 1 | 2 of 2 | 2 of 2 | 1 of 2 |",
        "| SIGKILL | 1 | – | 1 of 1 | 1 of 1 | 1 of 1 |",
        "| all | 3 | 1 of 1 | 3 of 3 | 3 of 3 | 2 of 3 |",
    ]
