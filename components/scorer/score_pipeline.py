"""Scoring on Beam: a file is one task, and a worker scores it whole."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import apache_beam as beam

from components.scorer.file_scoring import (
    FileScores,
    ScoreTask,
    ScoringError,
    check_output,
    score_file,
)
from components.scorer.model_runtime import UnusableModelError
from formats.errors import DataRefusedError
from formats.scores import ScoresFooter
from formats.task_results import LostTaskError, check_refusals, run_tasks


@dataclass(frozen=True)
class _Result:
    """The result of a task: its scores, why its input was refused, or why it failed."""

    scores: list[object] | None = None
    error: str = ""
    failure: str = ""


def score_on_beam(
    pipeline: beam.Pipeline, tasks: Sequence[ScoreTask], staging: str
) -> list[FileScores]:
    """Scores files on Beam's workers.

    Args:
        pipeline: is run.
        tasks: one per file.
        staging: a folder for the results, which the caller removes.

    Returns:
        The scores of each file, in the order of the tasks.

    Raises:
        DataRefusedError: an input was refused; the outputs of the others are complete.
        ScoringError: the model cannot be used, or a file or rows were lost or duplicated.
    """
    try:
        results = read_results(run_tasks(pipeline, tasks, _score, f"{staging}/results"))
    except LostTaskError as error:
        raise ScoringError(str(error)) from error
    for task, scores in zip(tasks, results, strict=True):
        key = task.key(scores.digest)
        check_output(task, ScoresFooter(scores.rows, scores.flagged, key))
    return results


def read_results(texts: Sequence[str]) -> list[FileScores]:
    """Reads the results of all tasks, one JSON text each, in their order.

    Raises:
        DataRefusedError: an input was refused.
        ScoringError: the model cannot be used.
    """
    results = [_Result(**json.loads(text)) for text in texts]
    if failure := next((result.failure for result in results if result.failure), None):
        raise ScoringError(failure)
    check_refusals((result.error for result in results), "inputs")
    return [FileScores(*result.scores) for result in results]  # type: ignore[misc]


def _score(task: ScoreTask) -> str:
    # A distributed runner would retry an exception and report it as a stack trace.
    try:
        result = _Result(list(score_file(task)))
    except DataRefusedError as error:
        result = _Result(error=str(error))
    except (ScoringError, UnusableModelError) as error:
        result = _Result(failure=str(error))
    return json.dumps(asdict(result))
