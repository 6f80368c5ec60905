import apache_beam as beam
import pytest

from formats.errors import DataRefusedError
from formats.task_results import LostTaskError, check_refusals, run_tasks


def double(task):
    return f"{task}\n{task}"


@pytest.mark.slow
def test_every_task_has_its_result_in_order(tmp_path):
    tasks = ["b", "a", "", "c"]
    results = run_tasks(beam.Pipeline(), tasks, double, str(tmp_path / "results"))
    assert results == ["b\nb", "a\na", "\n", "c\nc"]
    assert len(list((tmp_path / "results").iterdir())) == 4


def reshuffle_to(change):
    """Beam's Reshuffle in a runner that loses or repeats elements."""

    class Changed(beam.PTransform):
        def expand(self, elements):
            return elements | beam.FlatMap(change)

    return Changed


@pytest.mark.slow
def test_lost_tasks_are_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(beam, "Reshuffle", reshuffle_to(lambda task: [task] * (task[0] != 1)))
    with pytest.raises(LostTaskError, match=r"lost 1 of 3 files; use another runner in beam\.args"):
        run_tasks(beam.Pipeline(), ["a", "b", "c"], double, str(tmp_path))


def test_a_runner_that_does_nothing_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(beam, "Reshuffle", reshuffle_to(lambda _: []))
    with pytest.raises(LostTaskError, match="lost 2 of 2 files"):
        run_tasks(beam.Pipeline(), ["a", "b"], double, str(tmp_path))


def test_a_task_that_is_run_twice_has_one_result(tmp_path, monkeypatch):
    monkeypatch.setattr(beam, "Reshuffle", reshuffle_to(lambda task: [task, task]))
    assert run_tasks(beam.Pipeline(), ["a", "b"], double, str(tmp_path)) == ["a\na", "b\nb"]


def test_a_file_that_a_killed_worker_left_unfinished_is_not_a_result(tmp_path):
    (tmp_path / "0123456789abcdef").write_text("half")
    assert run_tasks(beam.Pipeline(), ["a"], double, str(tmp_path)) == ["a\na"]


def test_the_first_refused_task_is_named_and_the_others_are_counted():
    check_refusals(["", ""], "shards")
    with pytest.raises(DataRefusedError, match=r"^b is bad$"):
        check_refusals(["", "b is bad"], "shards")
    with pytest.raises(DataRefusedError, match=r"^b is bad\n\(2 of 3 shards were refused\)$"):
        check_refusals(["", "b is bad", "c is bad"], "shards")
