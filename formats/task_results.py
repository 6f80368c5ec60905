"""Tasks on Beam's workers, each of which leaves its result as a file of its own.

Beam's ``WriteToText`` adds stages, and engines start new Python workers for each of them.
"""

import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import apache_beam as beam
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from formats.atomic_files import naming
from formats.errors import DataRefusedError

Task = TypeVar("Task")


class LostTaskError(RuntimeError):
    """A Beam runner has not run every task."""


def run_tasks(
    pipeline: beam.Pipeline, tasks: Sequence[Task], work: Callable[[Task], str], staging: str
) -> list[str]:
    """Runs a function on every task, on Beam's workers.

    A task that is run twice, because its first worker was killed, has one result.

    Args:
        pipeline: is run.
        tasks: what the workers get, pickled.
        work: returns the result of a task. What it raises may be retried by the runner, and is
            then reported as a stack trace.
        staging: a folder for the results, which the caller removes.

    Returns:
        The results in the order of the tasks.

    Raises:
        LostTaskError: results are missing.
    """
    with pipeline as started:
        _ = (
            started
            | "Tasks" >> beam.Create(list(enumerate(tasks)))
            | "Spread" >> beam.Reshuffle()
            | "Work" >> beam.Map(lambda task: _write_result(task[0], task[1], work, staging))
        )
    results = dict(_read_results(staging))
    if lost := len(tasks) - len(results):
        raise LostTaskError(
            f"the Beam runner lost {lost} of {len(tasks)} files; use another runner in beam.args"
        )
    return [results[index] for index in range(len(tasks))]


def check_refusals(errors: Iterable[str], noun: str) -> None:
    """Checks that no task was refused.

    Args:
        errors: why each task was refused; empty for one that was not.
        noun: what the tasks are about, for the message.

    Raises:
        DataRefusedError: one was; names the first.
    """
    errors = list(errors)
    if refused := [*filter(None, errors)]:
        more = f"\n({len(refused)} of {len(errors)} {noun} were refused)" if refused[1:] else ""
        raise DataRefusedError(refused[0] + more)


def _write_result(index: int, task: Task, work: Callable[[Task], str], staging: str) -> None:
    # A worker that a runner has given up may still be writing, so the names are unique.
    temporary = f"{staging}/{uuid.uuid4().hex}"
    result = work(task)
    with naming(temporary), FileSystems.create(temporary) as file:
        file.write(result.encode())
    FileSystems.rename([temporary], [f"{staging}/result-{index}"])


def _read_results(staging: str) -> Iterable[tuple[int, str]]:
    [matched] = FileSystems.match([f"{staging}/result-*"])
    for metadata in matched.metadata_list:
        with FileSystems.open(
            metadata.path, compression_type=CompressionTypes.UNCOMPRESSED
        ) as file:
            yield int(metadata.path.rpartition("-")[2]), file.read().decode()
