"""Tasks on Beam's workers; each task writes its result to its own file.

Beam's ``WriteToText`` adds stages, and engines start new Python workers for each of them.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems

from formats.atomic_files import naming
from formats.beam_files import find_files, open_file
from formats.errors import DataRefusedError

Task = TypeVar("Task")
Errors = tuple[type[Exception], ...]


class LostTaskError(RuntimeError):
    """A Beam runner has not run every task."""


class FailedTaskError(RuntimeError):
    """A task has failed; the message is that of its error."""


def run_tasks(
    pipeline: beam.Pipeline,
    tasks: Sequence[Task],
    work: Callable[[Task], Any],
    staging: str,
    noun: str,
    *,
    refusals: Errors = (DataRefusedError,),
    failures: Errors = (),
) -> list[Any]:
    """Runs a function on every task, on Beam's workers.

    A task that runs twice, because its first worker was killed, has one result.

    Args:
        pipeline: is run.
        tasks: arguments of ``work``; they are pickled.
        work: returns the result of a task, which JSON can represent. If it raises an error other
            than the following ones, the runner may retry it, and then reports a stack trace.
        staging: a folder for the results, which the caller removes.
        noun: what the tasks are about, for the message of a refusal.
        refusals: errors of ``work`` that refuse an input.
        failures: errors of ``work`` that end the run, regardless of the other tasks.

    Returns:
        The results in the order of the tasks.

    Raises:
        LostTaskError: results are missing.
        FailedTaskError: a task ended with one of the ``failures``.
        DataRefusedError: inputs were refused; names the first.
    """
    with pipeline as started:
        _ = (
            started
            | "Tasks" >> beam.Create(list(enumerate(tasks)))
            | "Spread" >> beam.Reshuffle()
            | "Work"
            >> beam.MapTuple(
                lambda index, task: _write_result(
                    index, _outcome(task, work, refusals, failures), staging
                )
            )
        )
    outcomes = dict(_read_results(staging))
    if lost := len(tasks) - len(outcomes):
        raise LostTaskError(
            f"the Beam runner lost {lost} of {len(tasks)} files; use another runner in beam.args"
        )
    return _results([outcomes[index] for index in range(len(tasks))], noun)


def _outcome(
    task: Task, work: Callable[[Task], Any], refusals: Errors, failures: Errors
) -> dict[str, Any]:
    try:
        return {"result": work(task)}
    except refusals as error:
        return {"refusal": str(error)}
    except failures as error:
        return {"failure": str(error)}


def _results(outcomes: Sequence[dict[str, Any]], noun: str) -> list[Any]:
    for outcome in outcomes:
        if "failure" in outcome:
            raise FailedTaskError(outcome["failure"])
    if refused := [outcome["refusal"] for outcome in outcomes if "refusal" in outcome]:
        more = f"\n({len(refused)} of {len(outcomes)} {noun} were refused)" if refused[1:] else ""
        raise DataRefusedError(refused[0] + more)
    return [outcome["result"] for outcome in outcomes]


def _write_result(index: int, outcome: dict[str, Any], staging: str) -> None:
    # A worker that the runner has abandoned may still be writing, so the names are unique.
    temporary = f"{staging}/{uuid.uuid4().hex}"
    with naming(temporary), FileSystems.create(temporary) as file:
        file.write(json.dumps(outcome).encode())
    FileSystems.rename([temporary], [f"{staging}/result-{index}"])


def _read_results(staging: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for found in find_files(f"{staging}/result-*"):
        with open_file(found.path) as file:
            yield int(found.path.rpartition("-")[2]), json.loads(file.read())
