"""Labels: 0 and 1, or two values that the options name."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.intake.intake_error import IntakeError, quote, shorten
from pipeline.intake.text_layout import MISSING_TEXTS


@dataclass(frozen=True)
class LabelValues:
    """The two values of the label.

    Attributes:
        signal: as it stands in the input; numbers are compared as numbers.
        background: the same.
        are_given: whether options named them.
    """

    signal: str = "1"
    background: str = "0"
    are_given: bool = False

    def encode(
        self, name: str, values: Any, locate: Callable[[int], str], hint: str = ""
    ) -> NDArray[np.float32]:
        """Encodes the labels of a batch.

        Args:
            name: of the input, for messages.
            values: numbers or texts [N].
            locate: gives the place of a row.
            hint: what to do if another column is the label.

        Returns:
            float32 [N], 1 signal, 0 background, NaN where the label is missing.

        Raises:
            IntakeError: at the first other value.
        """
        if isinstance(values, pa.Array) and pa.types.is_nested(values.type):
            raise IntakeError(
                f"{name}: the labels are {shorten(str(values.type))}, not one value per event. "
                "Write one number or text per event."
            )
        try:
            values, codes = _distinct(values)
        except pa.ArrowNotImplementedError as error:
            raise IntakeError(
                f"{name}: the labels are {shorten(str(values.type))}, not numbers or texts. Write "
                "them as numbers."
            ) from error
        encoded = np.array([self._encode(value) for value in values], np.float32)
        labels = encoded[codes]
        if (invalid := labels == -1).any():
            row = int(invalid.argmax())
            raise self._error(name, values, values[codes[row]], locate(row), hint)
        return labels

    def _encode(self, value: object) -> float:
        text = str(value).strip()
        is_given = self.are_given and text in (self.signal, self.background)  # such as "none"
        if value is None or (text in MISSING_TEXTS and not is_given):
            return np.nan
        shown = _plain(text)  # As messages quote it: 0.95 for the float32 0.949999988.
        if same_value(text, self.signal) or same_value(shown, self.signal):
            return 1.0
        is_background = same_value(text, self.background) or same_value(shown, self.background)
        return 0.0 if is_background else -1.0

    def _error(
        self, name: str, values: list[Any], value: object, place: str, hint: str
    ) -> IntakeError:
        start = f"{name}: {place} has the label {quote(_plain(value))}"
        if self.are_given:
            return IntakeError(
                f"{start}, which is neither {quote(self.signal)} (signal) nor "
                f"{quote(self.background)} (background). Correct the row, or name other values "
                "with --signal and --background."
            )
        present = [_plain(each) for each in values if not np.isnan(self._encode(each))]
        kinds = list(dict.fromkeys(present))
        if len(kinds) != 2:
            remedy = hint or (
                "Correct the row, or name the two values with --signal VALUE --background VALUE."
            )
            return IntakeError(f"{start}, which is neither 0 nor 1. {remedy}")
        signal, background = (shlex.quote(shorten(f"{v}")) for v in _likely_order(kinds))
        return IntakeError(
            f"{start}, which is neither 0 nor 1. The labels are {quote(kinds[0])} and "
            f"{quote(kinds[1])}: say which is which, such as --signal {signal} "
            f"--background {background}; this file cannot tell."
        )


def present_values(values: Any) -> set[str]:
    """Returns the distinct values of a batch that are not missing; none if they are nested."""
    try:
        distinct, _ = _distinct(values)
    except pa.ArrowNotImplementedError:
        return set()
    texts = {_plain(value).strip() for value in distinct if value is not None}
    return texts.difference(MISSING_TEXTS)


def _distinct(values: Any) -> tuple[list[Any], NDArray[np.intp]]:
    """Returns the distinct values, and the index of each row's value among them."""
    if isinstance(values, pa.Array) and pa.types.is_float16(values.type):
        values = values.to_numpy(zero_copy_only=False)  # Arrow computes nothing with this type.
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        if not pa.types.is_dictionary(values.type):
            values = values.dictionary_encode()
        if isinstance(values, pa.ChunkedArray):
            values = values.unify_dictionaries().combine_chunks()
            values = values.chunk(0) if isinstance(values, pa.ChunkedArray) else values
        distinct = [*values.dictionary.to_pylist(), None]
        codes = values.indices.fill_null(len(distinct) - 1).to_numpy(zero_copy_only=False)
        return [_number(value) for value in distinct], codes
    array = np.asarray(values)
    if array.dtype == object:
        array = array.astype(str)
    if array.dtype.kind == "f" and ((is_one := array == 1) | (array == 0)).all():
        return [0.0, 1.0], is_one.astype(np.intp)
    distinct, codes = np.unique(array, return_inverse=True)
    return [_number(value) for value in distinct.tolist()], codes


def _number(value: Any) -> Any:
    """Returns booleans as 0 and 1 and bytes as text."""
    if isinstance(value, bool):
        return int(value)
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def same_value(first: str, second: str) -> bool:
    """Returns whether two labels are the same text or number.

    >>> same_value("1", "1.0"), same_value("s", "S")
    (True, False)
    """
    if first == second:
        return True
    try:
        # A decimal comma; features with one are refused without --decimal.
        return _to_float(first) == _to_float(second)
    except ValueError:
        return False


def _to_float(text: str) -> float:
    return float(text.replace("_", "?").replace(",", "."))


def _plain(value: object) -> str:
    """Returns a number as shortly as its precision allows, 0.95 for the float32; or the text."""
    try:
        number = float(str(value))
    except ValueError:
        return str(value)
    if float(short := f"{number:g}") == number:
        return short
    with np.errstate(over="ignore"):
        single = np.float32(number)
    return str(single) if single == number else str(value)


def _likely_order(kinds: list[str]) -> tuple[str, str]:
    """Returns the two values, first the one that is more likely to mean signal."""
    signs = ("1", "s", "signal", "sig", "true", "t", "yes", "higgs")
    first, second = kinds
    if second.lower() in signs or _is_likely_signal(second, first):
        return second, first
    return first, second


def _is_likely_signal(value: str, other: str) -> bool:
    """Returns whether only the first is a positive number, or it is the larger probability."""
    try:
        number, second = float(value), float(other)
    except ValueError:
        return False
    return number > 0 >= second or 0 <= second < number <= 1
