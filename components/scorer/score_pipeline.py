"""Scoring on Beam: a file is one element, and a worker scores it whole."""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import apache_beam as beam
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

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

logger = logging.getLogger("higgs.scorer")


@dataclass(frozen=True)
class _Result:
    """The result of a task: its scores, why its input was refused, or why it failed."""

    index: int
    scores: list[object] | None
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
    with pipeline as started:
        _ = (
            started
            | "Files" >> beam.Create(list(tasks))
            | "Spread" >> beam.Reshuffle()
            | "Score" >> beam.Map(_score)
            | "Results" >> beam.io.WriteToText(f"{staging}/results")
        )
    results = combine(tasks, _read_results(f"{staging}/results*"))
    for task, scores in zip(tasks, results, strict=True):
        key = task.key(scores.digest)
        check_output(task, ScoresFooter(scores.rows, scores.flagged, key))
    return results


def combine(tasks: Sequence[ScoreTask], results: Iterable[str]) -> list[FileScores]:
    """Orders results by their tasks.

    Args:
        tasks: all tasks.
        results: one line of JSON per result, in any order.

    Raises:
        DataRefusedError: an input was refused.
        ScoringError: the model cannot be used, or the result of a task is missing or there twice.
    """
    parsed = sorted((_Result(**json.loads(line)) for line in results), key=lambda r: r.index)
    if failures := [result.failure for result in parsed if result.failure]:
        raise ScoringError(failures[0])
    errors = [result.error for result in parsed if result.error]
    if errors:
        more = f"\n({len(errors)} of {len(tasks)} inputs were refused)" if errors[1:] else ""
        raise DataRefusedError(errors[0] + more)
    indices = [result.index for result in parsed]
    if indices != [task.index for task in tasks]:
        raise ScoringError(
            f"the Beam runner reported {len(indices)} files ({len(set(indices))} distinct) of "
            f"{len(tasks)}: work was lost or done twice; use another runner in beam.args"
        )
    return [FileScores(*result.scores) for result in parsed]  # type: ignore[misc]


def _score(task: ScoreTask) -> str:
    # A distributed runner would retry an exception and report it as a stack trace.
    try:
        result = _Result(task.index, list(score_file(task)))
    except DataRefusedError as error:
        result = _Result(task.index, None, error=str(error))
    except (ScoringError, UnusableModelError) as error:
        result = _Result(task.index, None, failure=str(error))
    return json.dumps(asdict(result))


def _read_results(pattern: str) -> list[str]:
    [matched] = FileSystems.match([pattern])
    lines: list[str] = []
    for metadata in matched.metadata_list:
        with FileSystems.open(
            metadata.path, compression_type=CompressionTypes.UNCOMPRESSED
        ) as file:
            lines += file.read().decode().splitlines()
    return lines
