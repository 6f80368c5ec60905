"""Columns of an input that are written beside the scores, as Arrow arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from formats.column_names import known_column
from formats.features import FEATURES, LABEL
from pipeline.intake.column_mapping import ColumnMap
from pipeline.intake.intake_error import IntakeError, enumerate_names, quote
from pipeline.intake.table import Batch, Table
from pipeline.intake.text_layout import MISSING_TEXTS

_TEXT_FORMATS = ("CSV", "ARFF")

_LONG_INTEGER = r"^[+-]?[0-9]{16,}$"
"""An integer that float64 may not hold."""


@dataclass
class RequestedColumn:
    """A column to write.

    Attributes:
        source: the input, for messages.
        index: of the column in the table.
        feature: index of the feature whose converted values are written; None for the column as
            it is stored.
        is_text: whether it is a column of a text file, other than the id, which stays text.
        decimal: the decimal separator of text files.
    """

    source: str
    index: int
    feature: int | None
    is_text: bool
    decimal: str
    _is_number: bool | None = None

    def values(self, name: str, batch: Batch, features: NDArray[np.float32]) -> pa.Array:
        """Returns the values of a batch."""
        if self.feature is not None:
            return pa.array(features[self.feature])
        try:
            values = _to_arrow(batch.columns[self.index])
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise IntakeError(
                f"{self.source}: the column {quote(name)} holds values of several types ({error}). "
                "Write it with one type, or leave it out of --columns and --id."
            ) from error
        if self.is_text and pa.types.is_string(values.type):
            return self._to_numbers(name, values, batch)
        return values

    def _to_numbers(self, name: str, texts: pa.Array, batch: Batch) -> pa.Array:
        """Converts texts to float64 if those of the first batch are numbers."""
        trimmed = pc.utf8_trim_whitespace(texts)
        if self.decimal == ",":
            trimmed = pc.replace_substring(trimmed, ",", ".")
        is_missing = pc.is_in(trimmed, pa.array(MISSING_TEXTS))
        present = pc.if_else(is_missing, None, trimmed)
        numbers = _cast(present)
        if self._is_number is None:
            self._is_number = numbers is not None
        if not self._is_number:
            return texts
        if numbers is None:
            row = next(i for i in range(len(texts)) if _cast(present[i : i + 1]) is None)
            raise IntakeError(
                f"{self.source}: {batch.locate(row)} has {quote(texts[row].as_py())} as {name}, "
                "which is not a number of up to 15 digits, but the values before it are, or are "
                f"missing. Correct the row, or leave out --columns {name}."
            )
        return numbers


def _to_arrow(values: Any) -> pa.Array:
    """Converts a column to an array; float16, which Parquet lacks, to float32."""
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks) if values.chunks else pa.array([], values.type)
    if isinstance(values, pa.Array):
        if not pa.types.is_float16(values.type):
            return values
        is_missing = values.is_null().to_numpy(zero_copy_only=False)
        numbers = values.to_numpy(zero_copy_only=False).astype(np.float32)
        return pa.array(numbers, mask=is_missing)
    values = np.asarray(values)
    if values.dtype.kind == "f":
        values = values.astype(np.float32 if values.dtype.itemsize <= 4 else np.float64, copy=False)
    return pa.array(values.astype(values.dtype.newbyteorder("="), copy=False))


def _cast(texts: pa.Array) -> pa.Array | None:
    """Converts texts to float64; None if one is not a number, or is a long integer."""
    if pc.any(pc.match_substring_regex(texts, _LONG_INTEGER)).as_py():
        return None
    try:
        return pc.cast(texts, pa.float64())
    except pa.ArrowInvalid:
        return None


def find_requested(
    table: Table, columns: ColumnMap, names: Sequence[str], *, id_column: str, decimal: str
) -> dict[str, RequestedColumn]:
    """Finds the id and the requested columns, in this order.

    Args:
        table: the table.
        columns: its columns.
        names: of the requested columns: those of the table, or features.
        id_column: the column that identifies a row; may be empty.
        decimal: the decimal separator of text files.

    Raises:
        IntakeError: there is no such column, or more than one.
    """
    is_text = table.kind.split(" in ")[0] in _TEXT_FORMATS
    requested = {}
    for name in (id_column, *names) if id_column else names:
        index, feature = _find_column(table.name, columns, name)
        requested[name] = RequestedColumn(
            table.name, index, feature, is_text and name != id_column, decimal
        )
    return requested


def _find_column(source: str, columns: ColumnMap, name: str) -> tuple[int, int | None]:
    """Returns the index of a column, and that of the feature that it is, if it is one."""
    names, features = columns.names, columns.features
    if (count := names.count(name)) > 1:
        raise IntakeError(
            f"{source}: has {count} columns named {quote(name)}, so --columns or --id is "
            "ambiguous. Rename all but one in the input."
        )
    if name in names and names.index(name) not in features:
        return names.index(name), None
    if name in FEATURES:
        feature = FEATURES.index(name)
        return features[feature], feature
    if name in names:
        return names.index(name), features.index(names.index(name))
    labels = [index for index, column in enumerate(names) if known_column(column) == LABEL]
    if name == LABEL and labels:
        return labels[0], None
    raise IntakeError(
        f"{source}: has no column {quote(name)}; it has {enumerate_names(names)}. Correct "
        "--columns or --id."
    )
