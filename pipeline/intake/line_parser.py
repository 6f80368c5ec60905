"""Line-by-line parser of text tables: finds invalid lines and their faults."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from components.report.number_format import plural
from formats.text import is_utf8
from pipeline.intake.intake_error import IntakeError, quote, shorten
from pipeline.intake.table import Batch
from pipeline.intake.text_blocks import LINE_END
from pipeline.intake.text_layout import (
    MISSING_TEXTS,
    NUMBER,
    Layout,
    describe_separator,
    is_header,
    split_cells,
)

_REMEDIES = {
    re.compile(r"[-+]?\d*,\d+([eE][-+]?\d+)?"): "If the comma is a decimal comma, add "
    "`--decimal ,`.",
    re.compile(r"[-+]?\d*\.?\d*[dD][-+]?\d+"): "Write the exponents with E, such as with "
    "`sed 's/[dD]\\([-+0-9]\\)/E\\1/g' FILE > NEW`.",
    re.compile(r"[-+]?0[xX].*"): "Write the numbers in decimal.",
    re.compile("=.*"): "Write values instead of formulas.",
    re.compile("\N{MINUS SIGN}.*"): "Write minus signs as hyphens, such as with "
    "`sed 's/\N{MINUS SIGN}/-/g' FILE > NEW`.",
    re.compile(r"[-+]?\d{1,3}([,.'_\s]\d{3})+([.,]\d+)?"): "Write it without separators of "
    "thousands.",
    re.compile(r"[-+]?[\d.]+\s*%"): "Write fractions instead of percentages, such as 0.5 for 50%.",
}
"""Remedies for cells that are numbers in another notation."""

_VALUE = re.compile(r"[-+='\"\N{MINUS SIGN}]*\.?\d")


@dataclass
class LineParser:
    """Parses the lines of a table.

    Attributes:
        name: of the input, for messages.
        layout: of its lines.
        width: number of columns.
        decimal: the decimal separator.
        repeated_headers: number of lines that were left out because they repeat the header.
    """

    name: str
    layout: Layout
    width: int
    decimal: str
    repeated_headers: int = field(default=0, init=False)

    def lines(self, block: bytes, first: int) -> Iterator[tuple[int, list[str]]]:
        """Yields the number and the cells of each line that is neither blank nor a comment.

        A line of tabs is a row of missing values, as in Arrow, if they separate the columns.

        Args:
            block: whole lines.
            first: the number of its first line.
        """
        for number, line in enumerate(LINE_END.split(block), start=first):
            text = line.decode("utf-8", errors="replace").removeprefix("\ufeff")
            is_comment = self.layout.comment and text.startswith(self.layout.comment)
            cells = split_cells(text, self.layout.separator)
            if not is_comment and (text.strip() or len(cells) >= self.width):
                yield number, cells

    def parse(
        self, block: bytes, first: int, numbers: Sequence[int], texts: Sequence[int]
    ) -> Batch:
        """Parses a block.

        Args:
            block: whole lines.
            first: the number of its first line.
            numbers: indices of columns of numbers.
            texts: indices of columns of text.

        Raises:
            IntakeError: at the first line that is not a row of the table.
        """
        rows: list[tuple[int, list[str]]] = []
        values: list[list[float]] = []
        texts_are_valid = not texts or is_utf8(block)
        for number, line in self.lines(block, first):
            if self.layout.header == (line[0].lstrip("#% \t"), *line[1:]):
                self.repeated_headers += 1
                continue
            if self.has_comment(line[0]):
                raise IntakeError(
                    f"{self.name}: line {number} is a comment, {quote(','.join(line))}, in the "
                    "middle of the data. Delete it, or make a row of it."
                )
            cells = self.check_width(number, line)
            row = [self._to_float(cells[index]) for index in numbers]
            if None in row:
                raise self._bad_cell(number, cells, numbers)
            for index in texts:
                if "\ufffd" in cells[index] and not texts_are_valid:
                    raise self._not_utf8(number, cells, index)
            values.append(row)  # type: ignore[arg-type]
            rows.append((number, cells))
        array = np.array(values, np.float64).reshape(len(rows), len(numbers))
        columns: dict[int, object] = {index: array[:, i] for i, index in enumerate(numbers)}
        columns |= {i: np.array([cells[i] for _, cells in rows], object) for i in texts}
        return Batch(
            columns, lambda row: f"line {rows[row][0]}", lambda row, column: rows[row][1][column]
        )

    def has_comment(self, line: str) -> bool:
        """Returns whether a line is a comment, unless all rows start like one."""
        return line.startswith("#") and not all(
            cells and cells[0].startswith("#") for cells in self.layout.sample
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
        self._check_zeros(number, cells)
        if is_header(cells) and not self.layout.header:
            raise self._misplaced_header(number, cells)
        hint = " Correct or delete the line; if it is the last, fetch the file again."
        if self.decimal == "." and len(cells) == 2 * self.width:
            hint = " If commas separate columns and decimals, write decimal points."
        elif any('"' in cell for cell in cells):
            hint = " If a cell in quotes contains a line break, remove it."
        separator = describe_separator(self.layout.separator)
        raise IntakeError(
            f"{self.name}: line {number} has {plural(len(cells), 'column')}, not {self.width}, "
            f"separated by {separator}; it starts with {quote(cells[0])}.{hint}"
        )

    def _to_float(self, cell: str) -> float | None:
        """Returns the value of a cell, NaN if it is missing; None if it is not a number."""
        if self.decimal == ",":
            if "." in cell:  # A mark between thousands, perhaps.
                return None
            cell = cell.replace(",", ".")
        if NUMBER.fullmatch(cell):
            return float(cell)
        return np.nan if cell in MISSING_TEXTS else None

    def _check_zeros(self, number: int, cells: list[str]) -> None:
        """Refuses zero bytes, which are left by an interrupted download or a damaged disk."""
        if any("\0" in cell for cell in cells):
            raise IntakeError(
                f"{self.name}: line {number} contains zero bytes: the file is incomplete or "
                "damaged. Fetch or write the file again."
            )

    def _bad_cell(self, number: int, cells: list[str], numbers: Sequence[int]) -> IntakeError:
        self._check_zeros(number, cells)
        if any(NUMBER.fullmatch(cell.strip("'")) and cell[0] == "'" for cell in cells):
            return IntakeError(
                f"{self.name}: line {number} has numbers in single quotes, such as "
                f'{quote(cells[numbers[0]])}. Remove them, such as with `tr -d "\'" < FILE > NEW`.'
            )
        if is_header(cells) and not self.layout.header:
            return self._misplaced_header(number, cells)
        if is_header(cells) and sum(bool(_VALUE.match(cell)) for cell in cells) * 2 <= len(cells):
            if number == self.layout.skipped + 1:
                return IntakeError(
                    f"{self.name}: line {number}, below the header, holds no values but "
                    f"{quote(','.join(cells))}. Delete the line if it holds units or a rule."
                )
            return IntakeError(
                f"{self.name}: line {number} is a second header, {quote(','.join(cells))}, that "
                "differs from the first. Convert the parts before and after it as two files."
            )
        index = next(index for index in numbers if self._to_float(cells[index]) is None)
        fitting = (text for kind, text in _REMEDIES.items() if kind.fullmatch(cells[index]))
        remedy = next(fitting, "Correct or delete the line.")
        if self.decimal == "," and NUMBER.fullmatch(cells[index]):
            remedy = "If the point is the decimal point, leave out `--decimal ,`."
        return IntakeError(
            f"{self.name}: line {number} has {quote(cells[index])} as {self._column(index)}, which "
            f"is not a number. {remedy}"
        )

    def _not_utf8(self, number: int, cells: list[str], index: int) -> IntakeError:
        return IntakeError(
            f"{self.name}: line {number} has {quote(cells[index])} as {self._column(index)}, which "
            "is not UTF-8. Write the file again, such as with "
            "`iconv -f latin1 -t utf-8 FILE > NEW`."
        )

    def _column(self, index: int) -> str:
        return shorten(self.layout.header[index]) if self.layout.header else f"column {index + 1}"

    def _misplaced_header(self, number: int, cells: list[str]) -> IntakeError:
        return IntakeError(
            f"{self.name}: line {number} is a header, {quote(','.join(cells))}, in the middle of "
            "the data. Move it to the top if it names the columns above, too."
        )
