import apache_beam as beam
import pytest

from formats.errors import DataRefusedError
from formats.task_results import FailedTaskError, LostTaskError, run_tasks


def double(task):
    return f"{task}\n{task}"


@pytest.mark.slow
def test_every_task_has_its_result_in_order(tmp_path):
    tasks = ["b", "a", "", "c"]
    results = run_tasks(beam.Pipeline(), tasks, double, str(tmp_path / "results"), "files")
    assert results == ["b\nb", "a\na", "\n", "c\nc"]
    assert len(list((tmp_path / "results").iterdir())) == 4


def reshuffle_to(change):
    """Beam's Reshuffle in a runner that loses or repeats elements."""

    class Changed(beam.PTransform):
        def expand(self, elements):
            return elements | beam.FlatMap(change)

    return Changed


@pytest.mark.slow
def test_lost_tasks_are_detected(tmp_path, monkeypatch):
    monkeypatch.setattr(beam, "Reshuffle", reshuffle_to(lambda task: [task] * (task[0] != 1)))
    with pytest.raises(LostTaskError, match=r"lost 1 of 3 files; use another runner in beam\.args"):
        run_tasks(beam.Pipeline(), ["a", "b", "c"], double, str(tmp_path), "files")


@pytest.mark.slow
def test_a_runner_that_does_nothing_is_detected(tmp_path, monkeypatch):
    monkeypatch.setattr(beam, "Reshuffle", reshuffle_to(lambda _: []))
    with pytest.raises(LostTaskError, match="lost 2 of 2 files"):
        run_tasks(beam.Pipeline(), ["a", "b"], double, str(tmp_path), "files")


@pytest.mark.slow
def test_a_task_that_is_run_twice_has_one_result(tmp_path, monkeypatch):
    monkeypatch.setattr(beam, "Reshuffle", reshuffle_to(lambda task: [task, task]))
    assert run_tasks(beam.Pipeline(), ["a", "b"], double, str(tmp_path), "files") == [
        "a\na",
        "b\nb",
    ]


@pytest.mark.slow
def test_a_file_that_a_killed_worker_left_unfinished_is_not_a_result(tmp_path):
    (tmp_path / "0123456789abcdef").write_text("half")
    assert run_tasks(beam.Pipeline(), ["a"], double, str(tmp_path), "files") == ["a\na"]


def judge(task):
    if task == "data":
        raise DataRefusedError("data is bad")
    if task == "record":
        raise KeyError("record is bad")
    if task == "model":
        raise ArithmeticError("no model")
    return [task, 1]


def run_judge(tmp_path, *tasks):
    errors = {"refusals": (DataRefusedError, KeyError), "failures": (ArithmeticError,)}
    return run_tasks(beam.Pipeline(), tasks, judge, str(tmp_path), "shards", **errors)


@pytest.mark.slow
def test_the_first_refused_task_is_named_and_the_others_are_counted(tmp_path):
    assert run_judge(tmp_path / "0", "a", "b") == [["a", 1], ["b", 1]]
    with pytest.raises(DataRefusedError, match=r"^data is bad$"):
        run_judge(tmp_path / "1", "a", "data")
    with pytest.raises(
        DataRefusedError, match=r"^'record is bad'\n\(2 of 3 shards were refused\)$"
    ):
        run_judge(tmp_path / "2", "a", "record", "data")


@pytest.mark.slow
def test_a_failure_precedes_a_refusal(tmp_path):
    with pytest.raises(FailedTaskError, match=r"^no model$"):
        run_judge(tmp_path, "data", "model", "a")
