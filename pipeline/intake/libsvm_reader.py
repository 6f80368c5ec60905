"""Reader of libsvm files: ``label index:value ...``, indices from 1, values of 0 left out."""

import io
import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from sklearn.datasets import load_svmlight_file

from formats.features import FEATURES, LABEL, NUM_FEATURES
from formats.prefetching import prefetch
from pipeline.intake.input_members import Member
from pipeline.intake.intake_error import IntakeError, quote
from pipeline.intake.table import Batch, Table, make_batch
from pipeline.intake.text_blocks import LINE_END, read_blocks

_ENTRY = re.compile(rb"(\d{1,9}):([-+]?[\d.]+(?:[eE][-+]?\d+)?|nan|inf)", re.IGNORECASE)


def open_libsvm(member: Member) -> Table:
    """Opens a libsvm file as a table of the label and the features in the published order."""
    notes: list[str] = []

    def read(numbers: Sequence[int], texts: Sequence[int]) -> Iterator[Batch]:
        for text, first in prefetch(read_blocks(member.name, member.stream)):
            block = LINE_END.sub(b"\n", text) if b"\r" in text else text
            if first == 1:
                block = block.removeprefix(BOM_UTF8)
            if not block.endswith(b"\n"):
                notes.append(
                    f"{member.name}: the last line has no newline; if the file was cut there, its "
                    "last value is incomplete"
                )
            yield _to_batch(member.name, block, first, (*numbers, *texts))

    names = (LABEL, *FEATURES)
    return Table(member.name, member.description, names, read, notes, has_vectors=True)


def _to_batch(name: str, block: bytes, first: int, indices: Sequence[int]) -> Batch:
    features, labels = _parse(name, block, first)
    lines = _line_numbers(name, block, first, len(labels))
    columns = {index: labels if index == 0 else features[:, index - 1] for index in indices}
    batch = make_batch(columns, 0, "line", None)
    return replace(batch, locate=lambda row: f"line {lines[row]}")


def _parse(name: str, block: bytes, first: int) -> tuple[np.ndarray, np.ndarray]:
    try:
        matrix, labels = load_svmlight_file(
            io.BytesIO(block), n_features=NUM_FEATURES, zero_based=False
        )
    except (ValueError, OverflowError) as error:
        raise _bad_line(name, block, first) from error
    return matrix.toarray(), labels


def _line_numbers(name: str, block: bytes, first: int, rows: int) -> Sequence[int]:
    """Returns the number of each row's line; blank lines and comments are not rows."""
    if rows == block.count(b"\n") + (not block.endswith(b"\n")):
        return range(first, first + rows)
    lines = enumerate(block.split(b"\n"), start=first)
    numbers = [number for number, line in lines if line.partition(b"#")[0].strip()]
    if len(numbers) != rows:
        raise _bad_line(name, block, first)
    return numbers


def _bad_line(name: str, block: bytes, first: int) -> IntakeError:
    for number, line in enumerate(block.split(b"\n"), start=first):
        label, *entries = line.partition(b"#")[0].split() or [b"0"]
        indices = []
        for entry in entries:
            match = _ENTRY.fullmatch(entry)
            if not match or not 1 <= int(match[1]) <= NUM_FEATURES:
                is_shifted = entry.startswith(b"0:")
                remedy = "Add 1 to each index" if is_shifted else "Correct or delete the line"
                return IntakeError(
                    f"{name}: line {number} has {quote(entry)}; expected INDEX:VALUE with an "
                    f"index from 1 to {NUM_FEATURES} and a number. {remedy}."
                )
            indices.append(int(match[1]))
        if indices != sorted(set(indices)):
            second = next(b for a, b in pairwise(indices) if b <= a)
            return IntakeError(
                f"{name}: line {number} has the index {second} after one that is not smaller. "
                "Write each index once, in ascending order."
            )
        try:
            float(label)
        except ValueError:
            return IntakeError(
                f"{name}: line {number} has {quote(label)} as label, which is not a number. "
                "Correct or delete the line."
            )
    return IntakeError(f"{name}: cannot be read from line {first} on. Write the file again.")
