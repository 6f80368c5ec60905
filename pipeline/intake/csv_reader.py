"""Reader of CSV and other text tables: blocks through Arrow, and line by line where Arrow fails.

Every number is ``float(text)``. Arrow parses blocks of some MB. A block that it rejects is parsed
again by `LineParser`, which accepts numbers that Arrow does not know (``+1.5``) and finds the
first invalid line.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from components.report.number_format import plural
from formats.features import COLUMNS, NUM_FEATURES
from formats.prefetching import prefetch
from pipeline.intake.byte_streams import HEAD_BYTES
from pipeline.intake.input_members import Member
from pipeline.intake.intake_error import IntakeError, quote
from pipeline.intake.line_parser import LineParser
from pipeline.intake.table import Batch, Table
from pipeline.intake.text_blocks import LINE_END, count_lines, read_blocks
from pipeline.intake.text_layout import (
    MISSING_TEXTS,
    NUMBER,
    Layout,
    are_consecutive,
    describe_separator,
    find_layout,
    split_cells,
)

_PARALLEL_BYTES = 1 << 20
_MARK = re.compile(rb"(?<![^\r\n])\xef\xbb\xbf")  # Of UTF-8, also inside of joined files.


def open_csv(member: Member, decimal: str = ".", layout: Layout | None = None) -> Table:
    """Opens a CSV file.

    Args:
        member: the file.
        decimal: the decimal separator, ``.`` or ``,``.
        layout: of the file; None finds it from the first lines.

    Raises:
        IntakeError: it has no rows, or its first row does not fit its header.
    """
    layout = layout or _with_row_names(find_layout(member.head))
    if not layout.sample and len(layout.header or ()) > 1 and len(member.head) < HEAD_BYTES:
        # As `higgs score` accepts tables without rows in all formats.
        return Table(member.name, member.description, layout.header, lambda *_: iter(()), [])
    if not layout.sample:
        reason = _describe_empty(layout)
        if len(member.head) >= HEAD_BYTES:
            reason = f"has no complete row in its first {HEAD_BYTES >> 10} kB"
        raise IntakeError(f"{member.name}: {reason}. Give a file with events.")
    _check_title(member.name, layout)
    names, width = _without_trailing_separator(layout)
    parser = LineParser(member.name, layout, width, decimal)
    parser.check_width(layout.skipped + 1, layout.sample[0])
    if names and names[0] == "":
        names = ("index", *names[1:])
    notes = []
    if layout.separator != ",":
        separator = describe_separator(layout.separator)
        notes.append(f"{member.name}: columns are separated by {separator}")
    read = _TextTable(member, parser, notes).read
    guess = "" if names else _guess(layout.sample)
    return Table(member.name, member.description, names, read, notes, guess, unnamed=width)


def _describe_empty(layout: Layout) -> str:
    if not layout.header:
        return "is empty"
    return f"holds {quote(layout.header[0])} and no table"


def _with_row_names(layout: Layout) -> Layout:
    """Adds a name for the first column, to which R gives none."""
    header, sample = layout.header, layout.sample
    if header and sample and len(sample[0]) == len(header) + 1 and sample[0][-1]:
        return layout._replace(header=("", *header))
    return layout


def _check_title(name: str, layout: Layout) -> None:
    """Refuses a title above the table, which would be taken for its header."""
    named = [cell for cell in layout.header or () if cell]
    for cell in named:
        if cell.startswith('"') and cell.count('"') % 2:
            raise IntakeError(
                f"{name}: line {layout.skipped} has a quote that is not closed, {quote(cell)}. "
                "Remove line breaks from the names of columns."
            )
    if len(named) == 1 and len(layout.sample[0]) > 1:
        raise IntakeError(
            f"{name}: line {layout.skipped}, {quote(named[0])}, is a title and not a header. "
            "Delete the line."
        )


def _without_trailing_separator(layout: Layout) -> tuple[tuple[str, ...] | None, int]:
    """Leaves out a last column that is empty in the header and in every line of the sample."""
    names, width = layout.header, len(layout.header or layout.sample[0])
    if names and not names[-1] and all(len(row) == width - 1 for row in layout.sample):
        return names[:-1], width - 1  # A separator at the end of the header alone.
    is_empty = all(len(row) == width and row[-1] == "" for row in layout.sample)
    if width > 1 and is_empty and not (names and names[-1]):
        return (names[:-1] if names else None), width - 1
    return names, width


def _guess(sample: list[list[str]]) -> str:
    """Explains why columns without names are not the published ones; empty if nothing shows it."""
    columns = list(zip(*sample, strict=False))
    if len(columns) < len(COLUMNS) or not sample[1:]:
        return ""
    is_index = are_consecutive(columns[0])
    others = columns[is_index:]
    is_last = len(others) == len(COLUMNS) and _are_labels(others[-1])
    is_last = is_last and not _are_labels(others[0])
    if is_index:
        found = "counts the rows in its first column"
    elif is_last:
        found = "has its label in the last column"
    else:
        return ""
    names = "features,label" if is_last else "label,features"
    names = "features" if len(others) == NUM_FEATURES else names
    names = "index," * is_index + names
    return f"{found}, and names no columns. Name them with --header {names}."


def _are_labels(cells: tuple[str, ...]) -> bool:
    return all(NUMBER.fullmatch(cell) and float(cell) in (0, 1) for cell in cells)


@dataclass
class _TextTable:
    """The lines of a text table; `read` is `Table.read`."""

    member: Member
    parser: LineParser
    notes: list[str]

    def read(self, numbers: Sequence[int], texts: Sequence[int]) -> Iterator[Batch]:
        for block, first in prefetch(read_blocks(self.member.name, self.member.stream)):
            if not block.endswith((b"\n", b"\r")):
                self._check_end(block, first)
            data, skipped = self._without_head(block, first)
            if data.lstrip(b" \r\n"):  # A line of tabs may be a row.
                yield self._parse(data, first + skipped, numbers, texts)
        if count := self.parser.repeated_headers:
            self.notes.append(f"{self.member.name}: skipped {plural(count, 'repeated header')}")

    def _check_end(self, block: bytes, first: int) -> None:
        """Reports a last line without a newline; refuses it if its last cell is truncated."""
        *before, last = LINE_END.split(block)
        line, layout = first + len(before), self.parser.layout
        cells = split_cells(last.decode(errors="replace"), layout.separator) or [""]
        lengths = {len(row[-1].lstrip("-")) for row in layout.sample if row}
        is_shorter = len(lengths) == 1 and len(cells[-1].lstrip("-")) < min(lengths)
        if is_shorter and layout.sample[1:] and len(cells) == self.parser.width:
            raise IntakeError(
                f"{self.member.name}: line {line} ends inside its last cell, "
                f"{quote(cells[-1])}: the file is truncated. Fetch it again, or delete this line."
            )
        self.notes.append(
            f"{self.member.name}: the last line, {line}, has no newline; if the file was cut "
            f"there, its last value, {quote(cells[-1])}, is incomplete"
        )

    def _without_head(self, block: bytes, first: int) -> tuple[bytes, int]:
        """Cuts off the lines before the data; returns how many there are in this block."""
        skipped = max(0, self.parser.layout.skipped - first + 1)
        position = 0
        for _ in range(skipped):
            match = LINE_END.search(block, position)
            position = match.end() if match else len(block)
        data = block[position:]
        return _MARK.sub(b"", data) if b"\xef" in data else data, skipped

    def _parse(
        self, block: bytes, first: int, numbers: Sequence[int], texts: Sequence[int]
    ) -> Batch:
        if self._has_comments(block) or (texts and self._has_wide_blanks(block)):
            return self.parser.parse(block, first, numbers, texts)
        try:
            table = self._parse_with_arrow(block, numbers, texts)
        except pa.ArrowInvalid:
            return self.parser.parse(block, first, numbers, texts)
        # To Arrow, a cell whose quote is not closed reaches to the end of the block.
        if b'"' in block and table.num_rows < count_lines(block.rstrip()) + 1:
            return self.parser.parse(block, first, numbers, texts)

        def line(row: int) -> tuple[int, list[str]]:
            return next(line for i, line in enumerate(self.parser.lines(block, first)) if i == row)

        columns = {i: pc.utf8_trim_whitespace(table.column(str(i))) for i in texts}
        # To Arrow, a blank before a quote makes it a part of the text.
        if b'"' in block and any(pc.any(pc.starts_with(c, '"')).as_py() for c in columns.values()):
            return self.parser.parse(block, first, numbers, texts)
        columns |= {i: table.column(str(i)).to_numpy() for i in numbers}
        return Batch(
            columns, lambda row: f"line {line(row)[0]}", lambda row, column: line(row)[1][column]
        )

    def _has_comments(self, block: bytes) -> bool:
        # The search for one byte is far faster than the others.
        if b"#" not in block:
            return False
        is_found = block.startswith(b"#") or b"\n#" in block or b"\r#" in block
        return is_found and self.parser.has_comment("#")

    def _has_wide_blanks(self, block: bytes) -> bool:
        """Returns whether texts in quotes may have blanks that `_parse_with_arrow` would change."""
        if self.parser.layout.separator != " " or b'"' not in block:
            return False
        return b"  " in block or b"\t" in block

    def _parse_with_arrow(
        self, block: bytes, numbers: Sequence[int], texts: Sequence[int]
    ) -> pa.Table:
        separator, width = self.parser.layout.separator, self.parser.width
        if separator == " ":
            block = re.sub(rb"[ \t]+", b" ", re.sub(rb"(?m)^[ \t]+|[ \t\r]+$", b"", block))
        columns = len(self.parser.layout.sample[0])
        types = {str(i): pa.string() if i in texts else pa.float64() for i in range(columns)}
        # Only missing values are valid in the column after a trailing separator.
        types |= {str(i): pa.null() for i in range(width, columns)}
        wanted = sorted({*numbers, *texts, *range(width, columns)})
        # `csv.read_csv` would look through all objects of the process for each block.
        reader = csv.open_csv(
            pa.BufferReader(block),
            csv.ReadOptions(column_names=list(types), block_size=_PARALLEL_BYTES),
            csv.ParseOptions(delimiter=separator, quote_char='"' if b'"' in block else False),
            csv.ConvertOptions(
                column_types=types,
                null_values=list(MISSING_TEXTS),
                include_columns=[str(i) for i in wanted],
                decimal_point=self.parser.decimal,
            ),
        )
        return reader.read_all()
