"""Reader of CSV and other text tables: blocks through Arrow, and line by line where Arrow fails.

Every number is ``float(text)``. Arrow parses blocks of some MB. A block that it rejects is parsed
again line by line, which accepts numbers that Arrow does not know (``+1.5``) and finds the first
invalid line.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from pyarrow import csv

from components.report.number_format import plural
from formats.features import COLUMNS
from pipeline.intake.byte_streams import UNPACKING_ERRORS
from pipeline.intake.input_members import Member
from pipeline.intake.intake_error import IntakeError, quote
from pipeline.intake.prefetching import prefetch
from pipeline.intake.table import Batch, Table
from pipeline.intake.text_layout import (
    MISSING_TEXTS,
    NUMBER,
    Layout,
    describe_separator,
    find_layout,
    is_header,
    split_cells,
)

BLOCK_BYTES = 8 << 20
_PARALLEL_BYTES = 1 << 20
_MAX_LINE_BYTES = 64 << 20
_LINE_END = re.compile(rb"\r\n|\r|\n")


@dataclass
class TextOptions:
    """Options of text tables.

    Attributes:
        decimal: the decimal separator, ``.`` or ``,``.
    """

    decimal: str = "."


def open_csv(member: Member, options: TextOptions, layout: Layout | None = None) -> Table:
    """Opens a CSV file of any layout.

    Raises:
        IntakeError: it has no rows.
    """
    layout = layout or find_layout(member.head)
    notes: list[str] = []
    if not layout.sample:
        if layout.header and len(layout.header) == 1:
            raise IntakeError(
                f"{member.name}: holds {quote(layout.header[0])} and no table. Name a file with "
                "events."
            )
        content = "holds a header and no rows" if layout.header else "is empty"
        raise IntakeError(f"{member.name}: {content}. Name a file with events.")
    if layout.header and len(layout.sample[0]) == len(layout.header) + 1 and layout.sample[0][-1]:
        # As R writes row names: without a name in the header.
        layout = layout._replace(header=("", *layout.header))
    width = len(layout.header or layout.sample[0])
    names, width = _without_trailing_separator(layout, width, notes)
    if layout.separator != ",":
        notes.append(
            f"{member.name}: columns are separated by {describe_separator(layout.separator)}"
        )
    text = _TextTable(member.name, member.stream, layout, options, width, notes)
    text.check_width(layout.skipped + 1, layout.sample[0])
    if names and names[0] == "":
        names = ("index", *names[1:])
    guess = "" if names else _guess(layout.sample)
    return Table(member.name, member.description, names, width, text.read, notes, guess)


def _guess(sample: list[list[str]]) -> str:
    """Tells why columns without names are not the label and the features, if there is a sign."""
    columns = list(zip(*sample, strict=False))
    if len(columns) < len(COLUMNS) or not sample[1:]:
        return ""
    is_index = (
        columns[0] == tuple(str(int(sample[0][0]) + i) for i in range(len(sample)))
        if (sample[0][0].isascii() and sample[0][0].isdigit())
        else False
    )
    first = 1 if is_index else 0
    is_last = len(columns) == len(COLUMNS) + first and not _are_labels(columns[first])
    is_last = is_last and _are_labels(columns[-1])
    if not is_index and not is_last:
        return ""
    where = (
        "counts the rows in its first column" if is_index else "has its label in the last column"
    )
    names = ("index," if is_index else "") + ("features,label" if is_last else "label,features")
    return f"{where}, and names no columns. Name them with --header {names}."


def _are_labels(cells: tuple[str, ...]) -> bool:
    return all(NUMBER.fullmatch(cell) and float(cell) in (0, 1) for cell in cells)


def _without_trailing_separator(
    layout: Layout, width: int, notes: list[str]
) -> tuple[tuple[str, ...] | None, int]:
    """Leaves out a last column that is empty in the header and in every line of the sample."""
    names = layout.header
    if width > 1 and all(len(row) == width and row[-1] == "" for row in layout.sample):
        if not names or names[-1] == "":
            return (names[:-1] if names else None), width - 1
    return names, width


@dataclass
class _TextTable:
    """The lines of a text table; `read` is `Table.read`."""

    name: str
    stream: BinaryIO
    layout: Layout
    options: TextOptions
    width: int
    notes: list[str]
    repeated_headers: int = field(default=0, init=False)

    def read(self, numbers: Sequence[int], texts: Sequence[int]) -> Iterator[Batch]:
        for block, first_line in prefetch(self._blocks()):
            block, lines_skipped = self._without_head(block, first_line)
            first = first_line + lines_skipped
            if block.strip():
                yield self._parse(block, first, numbers, texts)
        if self.repeated_headers:
            self.notes.append(
                f"{self.name}: skipped {plural(self.repeated_headers, 'repeated header')}"
            )

    def _blocks(self) -> Iterator[tuple[bytes, int]]:
        """Yields blocks of whole lines with the number of their first line."""
        rest, line = b"", 1
        try:
            for data in self._pieces():
                data = rest + data
                end = data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, len(data) - 1) + 1
                rest = data[end:]
                if len(rest) > _MAX_LINE_BYTES:
                    raise IntakeError(
                        f"{self.name}: line {line + _count_lines(data[:end])} is longer than "
                        f"{_MAX_LINE_BYTES >> 20} MB. Expected a table with one event per line."
                    )
                if end:
                    yield data[:end], line
                    line += _count_lines(data[:end])
        except UNPACKING_ERRORS as error:
            raise IntakeError(
                f"{self.name}: cannot be unpacked after line {line - 1}: the compressed data are "
                f"truncated or corrupt ({error}). Fetch the file again."
            ) from error
        if rest:
            self._check_end(rest, line)
            yield rest, line

    def _pieces(self) -> Iterator[bytes]:
        """Yields the data in pieces of about `BLOCK_BYTES`; all of them before an error."""
        piece, error = bytearray(), None
        while True:
            try:
                chunk = self.stream.read1(_PARALLEL_BYTES)  # type: ignore[attr-defined]
            except UNPACKING_ERRORS as raised:
                chunk, error = b"", raised
            piece += chunk
            if piece and (not chunk or len(piece) >= BLOCK_BYTES):
                yield bytes(piece)
                piece.clear()
            if error:
                raise error
            if not chunk:
                return

    def _check_end(self, last: bytes, line: int) -> None:
        """Reports a last line without a newline; refuses it if its last cell is cut."""
        sample = [row[-1] for row in self.layout.sample if row]
        cells = split_cells(last.decode(errors="replace"), self.layout.separator)
        lengths = {len(cell.lstrip("-")) for cell in sample}
        is_cut = len(lengths) == 1 and len(cells[-1].lstrip("-")) < min(lengths) and sample[1:]
        if is_cut and len(cells) == self.width:
            raise IntakeError(
                f"{self.name}: line {line} ends inside of its last cell, {quote(cells[-1])}: the "
                "file is truncated. Fetch it again, or delete its last line."
            )
        self.notes.append(
            f"{self.name}: the last line, {line}, has no newline; if the file was cut there, its "
            f"last value, {quote(cells[-1])}, is incomplete"
        )

    def _without_head(self, block: bytes, first_line: int) -> tuple[bytes, int]:
        """Cuts off the lines before the data."""
        skipped = max(0, self.layout.skipped - first_line + 1)
        position = 0
        for _ in range(skipped):
            match = _LINE_END.search(block, position)
            position = match.end() if match else len(block)
        return block[position:].removeprefix(b"\xef\xbb\xbf"), skipped

    def _parse(
        self, block: bytes, first: int, numbers: Sequence[int], texts: Sequence[int]
    ) -> Batch:
        cell = partial(self._cell, block, first)
        try:
            table = self._parse_with_arrow(block, numbers, texts)
        except pa.ArrowInvalid:
            return self._parse_lines(block, first, numbers, texts)
        columns = {i: table.column(str(i)) for i in texts}
        columns |= {i: table.column(str(i)).to_numpy() for i in numbers}
        return Batch(
            columns,
            lambda row: f"line {self._line_number(block, first, row)}",
            lambda row, column: cell(row, column),
        )

    def _parse_with_arrow(
        self, block: bytes, numbers: Sequence[int], texts: Sequence[int]
    ) -> pa.Table:
        separator = self.layout.separator
        if separator == " ":
            block = re.sub(rb"[ \t]+", b" ", re.sub(rb"(?m)^[ \t]+|[ \t\r]+$", b"", block))
        columns = len(self.layout.sample[0])
        types = {str(i): pa.string() if i in texts else pa.float64() for i in range(columns)}
        if columns > self.width:
            types[str(self.width)] = pa.null()
        wanted = sorted({*numbers, *texts, *range(self.width, columns)})
        return csv.read_csv(
            pa.BufferReader(block),
            csv.ReadOptions(column_names=list(types), block_size=_PARALLEL_BYTES),
            csv.ParseOptions(delimiter=separator, quote_char='"' if b'"' in block else False),
            csv.ConvertOptions(
                column_types=types,
                null_values=list(MISSING_TEXTS),
                include_columns=[str(i) for i in wanted],
                decimal_point=self.options.decimal,
            ),
        )

    def _lines(self, block: bytes, first: int) -> Iterator[tuple[int, list[str]]]:
        """Yields the number and the cells of each line with data."""
        for number, line in enumerate(_LINE_END.split(block), start=first):
            text = line.decode("utf-8", errors="replace")
            if text.strip():
                yield number, split_cells(text, self.layout.separator)

    def _line_number(self, block: bytes, first: int, row: int) -> int:
        return next(number for i, (number, _) in enumerate(self._lines(block, first)) if i == row)

    def _cell(self, block: bytes, first: int, row: int, column: int) -> str:
        return next(
            cells[column] for i, (_, cells) in enumerate(self._lines(block, first)) if i == row
        )

    def _parse_lines(
        self, block: bytes, first: int, numbers: Sequence[int], texts: Sequence[int]
    ) -> Batch:
        """Parses a block line by line.

        Raises:
            IntakeError: at the first line that is not a row of the table.
        """
        rows: list[tuple[int, list[str]]] = []
        values: list[list[float]] = []
        for number, cells in self._lines(block, first):
            if self.layout.header and tuple(cells) == self.layout.header:
                self.repeated_headers += 1
                continue
            cells = self.check_width(number, cells)
            try:
                values.append([self._to_float(cells[index]) for index in numbers])
            except ValueError:
                raise self._bad_cell(number, cells, numbers) from None
            rows.append((number, cells))
        array = np.array(values, np.float64).reshape(len(rows), len(numbers))
        columns: dict[int, object] = {index: array[:, i] for i, index in enumerate(numbers)}
        columns |= {i: np.array([cells[i] for _, cells in rows], object) for i in texts}
        return Batch(
            columns, lambda row: f"line {rows[row][0]}", lambda row, column: rows[row][1][column]
        )

    def check_width(self, number: int, cells: list[str]) -> list[str]:
        """Returns the cells of a line without an empty one at its end.

        Raises:
            IntakeError: their number is not that of the columns.
        """
        if len(cells) == self.width + 1 and cells[-1] == "":
            return cells[:-1]
        if len(cells) == self.width:
            return cells
        if is_header(cells) and not self.layout.header:
            raise self._misplaced_header(number, cells)
        hint = ""
        if self.options.decimal == "." and len(cells) == 2 * self.width:
            hint = " Commas separate columns and decimals: write decimal points."
        raise IntakeError(
            f"{self.name}: line {number} has {plural(len(cells), 'column')}, not {self.width}, separated "
            f"by {describe_separator(self.layout.separator)}; it starts with {quote(cells[0])}."
            f"{hint or ' Correct or delete the line; if it is the last, fetch the file again.'}"
        )

    def _misplaced_header(self, number: int, cells: list[str]) -> IntakeError:
        return IntakeError(
            f"{self.name}: line {number} is a header, {quote(','.join(cells))}, in the middle of "
            "the data. Move it to the top if it names the columns above, too."
        )

    def _to_float(self, cell: str) -> float:
        if self.options.decimal == ",":
            cell = cell.replace(",", ".")
        if NUMBER.fullmatch(cell):
            return float(cell)
        if cell in MISSING_TEXTS:
            return np.nan
        raise ValueError(cell)

    def _bad_cell(self, number: int, cells: list[str], numbers: Sequence[int]) -> IntakeError:
        if is_header(cells) and not self.layout.header:
            return self._misplaced_header(number, cells)
        if is_header(cells):
            return IntakeError(
                f"{self.name}: line {number} is a second header, {quote(','.join(cells))}, that "
                "differs from the first. Convert the parts before and after it as two files."
            )
        for index in numbers:
            try:
                self._to_float(cells[index])
            except ValueError:
                name = self.layout.header[index] if self.layout.header else f"column {index + 1}"
                return IntakeError(
                    f"{self.name}: line {number} has {quote(cells[index])} as {name}, which is "
                    f"not a number. {_cell_remedy(cells[index])}"
                )
        raise AssertionError("a cell of the line is invalid")


def _cell_remedy(cell: str) -> str:
    if re.fullmatch(r"[-+]?\d*,\d+([eE][-+]?\d+)?", cell):
        return "If the comma is a decimal comma, add `--decimal ,`."
    return "Correct or delete the line."


def _count_lines(block: bytes) -> int:
    newlines = block.count(b"\n")
    return newlines or block.count(b"\r")
