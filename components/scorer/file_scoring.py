"""Scoring of one file: reads, scores and writes at the same time, in constant memory."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components.scorer.model_runtime import Model, UnusableModelError, loaded_model
from components.scorer.score_writer import score_writer
from formats.errors import UserError
from formats.names import SIGNAL_PROBABILITY
from formats.prefetching import prefetch
from formats.scores import FILE, REASON, ROW, ScoresFooter, read_footer

BATCH_ROWS = 16_384
"""Rows that the model scores at a time."""


class Rows(NamedTuple):
    """Consecutive rows of an input.

    Attributes:
        file: the input, with the members of archives after colons.
        first: number of the first row in it, from 1.
        features: float32 [N, 28].
        reasons: why a row must not be scored, object [N], None for a valid one; None if all are.
        columns: the requested columns by name, each [N].
        origin: whether file and number of each row are written.
    """

    file: str
    first: int
    features: NDArray[np.float32]
    reasons: NDArray[np.object_] | None
    columns: Mapping[str, pa.Array]
    origin: bool = True

    @property
    def is_valid(self) -> NDArray[np.bool_]:
        """The rows to score, bool [N]."""
        if self.reasons is None:
            return np.ones(len(self.features), np.bool_)
        return np.array([reason is None for reason in self.reasons], np.bool_)


class RowSource(Protocol):
    """An input. Beam's workers receive it, so it can be pickled."""

    @property
    def name(self) -> str:
        """The input's name, for messages."""

    def digest(self) -> str:
        """Identifies the content of the input; empty if that is unknown."""

    def read(self, digest: str, on_read: Callable[[int], None]) -> Iterator[Rows]:
        """Reads the rows.

        Args:
            digest: of the input, taken earlier; changed content is refused.
            on_read: called with the number of bytes read so far.

        Raises:
            DataRefusedError: the input cannot be read, or has rows that are not valid.
        """


class ScoringError(UserError, RuntimeError):
    """Rows or files were lost; the message has the remedy."""


@dataclass(frozen=True)
class ScoreTask:
    """One file to score.

    Attributes:
        source: the input.
        output: the file to write.
        model: path of the model.
        model_sha256: of the model.
        options: what else determines the output, as text: other options, and the code's version.
    """

    source: RowSource
    output: str
    model: str
    model_sha256: str
    options: str = ""

    def key(self, digest: str) -> str:
        """Identifies input, model and options; empty for an input of unknown content."""
        parts = (digest, self.source.name, self.model_sha256, self.options)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest() if digest else ""


class FileScores(NamedTuple):
    """The scores of a file.

    Attributes:
        rows: number of rows.
        flagged: number of rows without a score.
        is_reused: whether the file was complete already.
        digest: of the input; empty if it is unknown.
    """

    rows: int
    flagged: int
    is_reused: bool
    digest: str


def score_file(
    task: ScoreTask, on_read: Callable[[int, int], None] = lambda *_: None
) -> FileScores:
    """Scores a file, unless its output has the key of this input, model and options.

    Args:
        task: the input, the model and the output.
        on_read: called with the number of bytes read and of rows written so far.

    Raises:
        DataRefusedError: the input cannot be read, or has rows that are not valid.
        ScoringError: the file does not have the rows that were read.
        OSError: a file cannot be read or written.
        UnusableModelError: the model cannot be loaded, or gave other values than probabilities.
    """
    digest = task.source.digest()
    key = task.key(digest)
    footer = read_footer(task.output) if key else None
    if footer and footer.key == key:
        return FileScores(footer.rows, footer.flagged, True, digest)
    model = loaded_model(task.model, task.model_sha256)
    read_bytes = 0

    def note(count: int) -> None:
        nonlocal read_bytes
        read_bytes = count

    # Reading, scoring and writing have a thread each.
    blocks = prefetch(_blocks(task.source.read(digest, note)))
    with score_writer(task.output, key) as writer:
        for table in prefetch(_score(block, model) for block in blocks):
            writer.add(table)
            on_read(read_bytes, writer.rows)
    check_output(task, ScoresFooter(writer.rows, writer.flagged, key))
    return FileScores(writer.rows, writer.flagged, False, digest)


def check_output(task: ScoreTask, expected: ScoresFooter) -> None:
    """Reads the footer of an output again.

    Raises:
        ScoringError: it says something else than expected.
    """
    written = read_footer(task.output)
    if written != expected:
        content = f"{written.rows:,} rows, {written.flagged:,}" if written else "no rows, none"
        raise ScoringError(
            f"{task.output} has {content} of them without a score, but {expected.rows:,} and "
            f"{expected.flagged:,} were written for {task.source.name}; check the storage and run "
            "the command again"
        )


def _blocks(parts: Iterator[Rows]) -> Iterator[list[Rows]]:
    """Collects small parts, so that the model gets batches of some size."""
    block: list[Rows] = []
    for part in parts:
        block.append(part)
        if sum(len(rows.features) for rows in block) >= BATCH_ROWS:
            yield block
            block = []
    if block:
        yield block


def _score(block: list[Rows], model: Model) -> pa.Table:
    features = np.concatenate([rows.features[rows.is_valid] for rows in block])
    scores = _score_features(features, model, block[0].file)
    tables, start = [], 0
    for rows in block:
        stop = start + int(rows.is_valid.sum())
        tables.append(_to_table(rows, scores[start:stop]))
        start = stop
    return pa.concat_tables(tables)


def _score_features(features: NDArray[np.float32], model: Model, name: str) -> NDArray[np.float32]:
    parts = [
        model(features[start : start + BATCH_ROWS]) for start in range(0, len(features), BATCH_ROWS)
    ]
    scores = np.concatenate([*parts, np.empty(0, np.float32)])
    is_probability = (scores >= 0) & (scores <= 1)  # false for NaN
    if len(scores) != len(features) or not is_probability.all():
        invalid = scores[~is_probability][:1]
        result = f"the score {invalid[0]:g}" if len(invalid) else f"{len(scores)} scores"
        raise UnusableModelError(
            f"the model gave {result} for {len(features)} valid events of {name}; a score is a "
            "number from 0 to 1 per event. Export the model again"
        )
    return scores


def _to_table(rows: Rows, scores: NDArray[np.float32]) -> pa.Table:
    count = len(rows.features)
    columns: dict[str, Any] = {}
    if rows.origin:
        columns[FILE] = pa.repeat(pa.scalar(rows.file), count)
        columns[ROW] = pa.array(np.arange(rows.first, rows.first + count, dtype=np.int64))
    copies = dict(rows.columns)
    if not rows.origin:
        # The id comes first.
        name = next(iter(copies))
        columns[name] = copies.pop(name)
    if rows.reasons is None:
        columns[SIGNAL_PROBABILITY] = pa.array(scores)
    else:
        all_scores = np.zeros(count, np.float32)
        all_scores[rows.is_valid] = scores
        columns[SIGNAL_PROBABILITY] = pa.array(all_scores, mask=~rows.is_valid)
        columns[REASON] = pa.array(rows.reasons, pa.string())
    return pa.table({**columns, **copies})
