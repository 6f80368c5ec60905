"""Scoring on Beam: a file is one task, and a worker scores it whole."""

from collections.abc import Sequence

import apache_beam as beam

from components.scorer.file_scoring import (
    FileScores,
    ScoreTask,
    ScoringError,
    check_output,
    score_file,
)
from components.scorer.model_runtime import UnusableModelError
from formats.scores import ScoresFooter
from formats.task_results import FailedTaskError, LostTaskError, run_tasks


def score_on_beam(
    pipeline: beam.Pipeline, tasks: Sequence[ScoreTask], staging: str
) -> list[FileScores]:
    """Scores files on Beam's workers.

    Args:
        pipeline: an empty pipeline; it is run.
        tasks: one per file.
        staging: a folder for the results, which the caller removes.

    Returns:
        The scores of each file, in the order of the tasks.

    Raises:
        DataRefusedError: an input was refused; the outputs of the others are complete.
        ScoringError: the model cannot be used, or a file or rows were lost or duplicated.
    """
    try:
        results = run_tasks(
            pipeline,
            tasks,
            score_file,
            f"{staging}/results",
            "inputs",
            failures=(ScoringError, UnusableModelError),
        )
    except (LostTaskError, FailedTaskError) as error:
        raise ScoringError(str(error)) from error
    files = [FileScores(*result) for result in results]
    for task, scores in zip(tasks, files, strict=True):
        key = task.key(scores.digest)
        check_output(task, ScoresFooter(scores.rows, scores.flagged, key))
    return files
