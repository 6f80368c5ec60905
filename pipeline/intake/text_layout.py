"""Layout of CSV files: separator, header, comments and line ends, found from the first lines."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

MISSING_TEXTS = (
    *("", "?", "-", "NA", "N/A", "n/a", "na", "NaN", "nan", "-nan", "-NaN", "NAN"),
    *("NULL", "Null", "null", "None", "none", "nil", "missing", "\\N", "n.a.", "N.A."),
    *(".", "--", "<NA>", "NaT"),  # SAS, tables for print, pandas
    *("#N/A", "#NA", "#DIV/0!", "#NUM!", "#VALUE!", "#REF!"),  # spreadsheets
    *(f"{sign}1.#{kind}" for sign in ("", "-") for kind in ("QNAN", "IND", "INF")),  # Windows
)
"""Cells that mean a missing value."""

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(inf|infinity)", re.ASCII | re.I)
"""Cells that are numbers: what `float` takes, without underscores and digits of other scripts."""

_SEPARATORS = ("\t", ";", "|", ",")
_SAMPLE_LINES = 100
_COMMENT = re.compile(r"[#%]|sep=.$")  # Excel writes the separator into a line of its own.
_NAMES = {"\t": "tab", " ": "blanks"}


class Layout(NamedTuple):
    """How a CSV file is written.

    Attributes:
        separator: one character; a space means any number of blanks and tabs.
        header: names of the columns, if the file has them.
        skipped: number of lines before the first line of data.
        sample: cells of the first lines of data.
        comment: start of lines between the data that are left out, if the format has comments.
    """

    separator: str
    header: tuple[str, ...] | None
    skipped: int
    sample: list[list[str]]
    comment: str | None = None


def find_layout(head: bytes) -> Layout:
    """Finds the layout from the first bytes of a file; a last, incomplete line does not count."""
    text = head.decode("utf-8", errors="replace").removeprefix("\ufeff")
    lines = re.split(r"\r\n|\r|\n", text)
    lines = lines[:-1] if lines[1:] else lines
    skipped = next((i for i, line in enumerate(lines) if line.strip()), len(lines))
    header = None
    while skipped < len(lines) and _COMMENT.match(lines[skipped]):
        header = lines[skipped].lstrip("#% \t")
        skipped += 1
    data = [line for line in lines[skipped : skipped + _SAMPLE_LINES] if line.strip()]
    separator = _find_separator(data)
    cells = [split_cells(line, separator) for line in data]
    if cells and is_header(cells[0]):
        skipped = lines.index(data[0], skipped) + 1
        return Layout(separator, tuple(cells[0]), skipped, cells[1:])
    names = split_cells(header, separator) if header else []
    # A comment is a header if it has as many names as there are columns, as numpy.savetxt writes.
    is_commented_header = bool(cells) and len(names) == len(cells[0]) and is_header(names)
    return Layout(separator, tuple(names) if is_commented_header else None, skipped, cells)


def describe_separator(separator: str) -> str:
    """Names a separator for a message."""
    return _NAMES.get(separator, f"'{separator}'")


def split_cells(line: str, separator: str) -> list[str]:
    """Splits a line into cells without the blanks and quotes around them.

    >>> split_cells(' 1, "a,b" ,', ","), split_cells('" a ", ', ","), split_cells('"a"\\t', "\\t")
    (['1', 'a,b', ''], ['a', ''], ['a', ''])
    >>> split_cells('"a b" "c"d', " ")
    ['a b', '"c"d']
    """
    if separator == " ":
        cells = re.findall(r'"(?:[^"]|"")*"(?!\S)|\S+', line) if '"' in line else line.split()
        return [_unquote(cell) for cell in cells]
    if '"' not in line:
        return [cell.strip() for cell in line.split(separator)]
    mark = re.escape(separator)
    blanks = rf"[^\S{mark}]*"
    cells = re.findall(rf'{blanks}("(?:[^"]|"")*"|[^{mark}]*){blanks}(?:{mark}|$)', line)
    cells = cells if line.endswith(separator) else cells[:-1]
    return [_unquote(cell.strip()) for cell in cells]


def _unquote(cell: str) -> str:
    is_quoted = len(cell) > 1 and cell[0] == cell[-1] == '"'
    return cell[1:-1].replace('""', '"').strip() if is_quoted else cell


def is_number(cell: str) -> bool:
    """Returns whether a cell is a number or means a missing one.

    >>> is_number("+1.5e3"), is_number("?"), is_number("1_000"), is_number("0x1p0")
    (True, True, False, False)
    """
    return cell in MISSING_TEXTS or NUMBER.fullmatch(cell) is not None


def is_header(cells: list[str]) -> bool:
    """Returns whether the cells are names: most are not numbers, or they count the columns.

    >>> is_header(["label", "pt"]), is_header(["s", "0.5", "1.5"]), is_header(["0", "1", "2"])
    (True, False, True)
    """
    named = [cell for cell in cells if cell]
    if not named:
        return False
    counted = cells[1:] if cells[0] == "" else cells
    if len(counted) > 2 and counted[0] in ("0", "1") and are_consecutive(counted):
        return True
    return sum(not is_number(cell.replace(",", ".")) for cell in named) * 2 > len(named)


def are_consecutive(cells: Sequence[str]) -> bool:
    """Returns whether the cells are whole numbers, each larger by one than that before it.

    >>> are_consecutive(["7", "8", "9"]), are_consecutive(["7", "9"]), are_consecutive(["a"])
    (True, False, False)
    """
    is_number = cells[0].isascii() and cells[0].isdigit()
    return is_number and [*cells] == [str(int(cells[0]) + i) for i in range(len(cells))]


def _find_separator(lines: list[str]) -> str:
    """Finds the separator that occurs equally often in the most lines."""
    best, best_score = ",", 0
    for separator in (*_SEPARATORS, " "):
        counts = Counter(len(split_cells(line, separator)) - 1 for line in lines)
        counts.pop(0, None)
        score = max(counts.values(), default=0)
        if score > best_score:
            best, best_score = separator, score
    return best
