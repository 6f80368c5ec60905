"""Tables, the common form of all readers: named columns, in batches."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from formats.column_names import known_column
from formats.features import FEATURES, NUM_FEATURES
from pipeline.intake.intake_error import IntakeError, enumerate_names, quote

_BATCH_ROWS = 1 << 16


@dataclass(frozen=True, eq=False)
class Batch:
    """Consecutive rows of a table.

    Attributes:
        columns: the requested columns by their index: numbers, with NaN for a missing value, or
            texts (a `pyarrow` or object array). All have the same length.
        locate: gives the place of a row, by its index in the batch, such as ``line 17``.
        cell: gives the value of a row in a column as it stands in the file.
        fraction: the part of the table that has been read after this batch, if it is known.
        part: the file of the rows, if the table has several.
    """

    columns: Mapping[int, Any]
    locate: Callable[[int], str]
    cell: Callable[[int, int], object]
    fraction: float | None = None
    part: str = ""


ReadColumns = Callable[[Sequence[int], Sequence[int]], Iterator[Batch]]
"""Reads columns by their indices: numbers, and others as they are."""


@dataclass(frozen=True, eq=False)
class Table:
    """A table before its rows are read.

    Attributes:
        name: of the input, for messages.
        kind: its format and what it is packed in.
        names: of its columns; None if the file has none.
        read: reads the columns with the given indices. Columns in the second argument are read
            as they are; text formats read all others as numbers.
        notes: what the reader noticed, in sentences; more may be added while rows are read.
        guess: why columns without names are not in the published order, or why features may be
            missing, with the remedy; empty if there is no sign of it.
        has_vectors: whether the features are one array, so that their names follow from their
            positions.
        unnamed: number of columns if they have no names.
        unlabelled: why an array that is named as the label cannot be read, with the remedy; empty
            if there is none.
    """

    name: str
    kind: str
    names: tuple[str, ...] | None
    read: ReadColumns
    notes: list[str]
    guess: str = ""
    has_vectors: bool = False
    unnamed: int = 0
    unlabelled: str = ""

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.unnamed if self.names is None else len(self.names)


class Columns(NamedTuple):
    """The columns that are read of a file that may have all features in one column.

    Attributes:
        scalars: names of the columns of one value per event.
        vector: name of the column of all features, which are read behind the others; None if
            there is no such column.
        guess: see `Table.guess`.
    """

    scalars: tuple[str, ...]
    vector: str | None = None
    guess: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns, with those of the features for the vector."""
        return self.scalars if self.vector is None else (*self.scalars, *FEATURES)


def find_columns(
    source: str, names: Sequence[str], vectors: Sequence[str], chosen: str | None
) -> Columns:
    """Finds the columns to read.

    A vector is taken if it is chosen, or if it is the only one and no other column has the name of
    a feature. Several vectors matter only if the features have no columns of their own.

    Args:
        source: the input, for messages.
        names: of all columns.
        vectors: names of those that may hold all features of an event.
        chosen: the one that ``--features`` names, if it was given.

    Raises:
        IntakeError: the chosen one is not there.
    """
    shown = enumerate_names(vectors) or "none"
    if chosen is not None and chosen not in vectors:
        raise IntakeError(
            f"{source}: has no column {quote(chosen)} of {NUM_FEATURES} numbers; columns of this "
            f"kind: {shown}. Correct or leave out --features."
        )
    has_features = any(known_column(name) in FEATURES for name in names if name not in vectors)
    if chosen is None and len(vectors) == 1 and not has_features:
        chosen = vectors[0]
    if chosen is not None:
        others = (name for name in names if name != chosen)
        return Columns(tuple(name for name in others if known_column(name) not in FEATURES), chosen)
    guess = (
        f"has several columns of {NUM_FEATURES} numbers: {shown}. Name the one of the features "
        "with --features, or the columns of the features with --names FILE."
    )
    return Columns(tuple(names), guess=guess if vectors and not has_features else "")


def array_batches(columns: Callable[[int, slice], Any], rows: int) -> ReadColumns:
    """Makes the function `Table.read` of columns that can be sliced.

    Args:
        columns: gives a slice of the rows of a column.
        rows: number of rows.
    """

    def read(indices: Sequence[int], texts: Sequence[int]) -> Iterator[Batch]:
        for start in range(0, rows, _BATCH_ROWS):
            part = slice(start, min(start + _BATCH_ROWS, rows))
            chosen = {index: columns(index, part) for index in (*indices, *texts)}
            yield make_batch(chosen, start, "row", part.stop / rows)

    return read


def make_batch(
    columns: Mapping[int, Any], start: int, unit: str, fraction: float | None, part: str = ""
) -> Batch:
    """Makes a batch of arrays whose first row has an index in the table, or in its part."""

    def cell(row: int, column: int) -> object:
        value = columns[column][row]
        value = value.as_py() if hasattr(value, "as_py") else value
        return value.item() if isinstance(value, np.generic) else value

    behind = f" of {part}" if part else ""
    return Batch(columns, lambda row: f"{unit} {start + row + 1}{behind}", cell, fraction, part)
