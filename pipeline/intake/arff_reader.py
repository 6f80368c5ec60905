"""Reader of ARFF files: a list of attributes, then the lines of a CSV file."""

import re

from pipeline.intake.csv_reader import open_csv
from pipeline.intake.input_members import Member
from pipeline.intake.intake_error import IntakeError, quote
from pipeline.intake.table import Table
from pipeline.intake.text_layout import Layout, find_layout

_LINE_END = re.compile(r"\r\n|\r|\n")
_DATA = re.compile(r"\s*@data\s*(%.*)?", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"@attribute\s+('[^']*'|\"[^\"]*\"|\S+)", re.IGNORECASE)


def open_arff(member: Member, decimal: str) -> Table:
    """Opens an ARFF file; quotes around names are removed.

    Raises:
        IntakeError: it has no attributes or no rows, or its rows are sparse.
    """
    text = member.head.decode("utf-8", errors="replace")
    lines = _LINE_END.split(text)
    data = next((i for i, line in enumerate(lines) if _DATA.fullmatch(line)), None)
    if data is None:
        raise IntakeError(f"{member.name}: has no line @data. Fetch or write the file again.")
    names = tuple(
        match[1].strip("'\"") for line in lines[:data] if (match := _ATTRIBUTE.match(line.strip()))
    )
    body = "\n".join(lines[data + 1 :]).encode()
    if body.lstrip().startswith(b"{"):
        raise IntakeError(
            f"{member.name}: has sparse rows, such as {quote(body.split()[0])}. "
            "Write it with one value per attribute."
        )
    layout = find_layout(body)
    layout = Layout(layout.separator, names, data + 1 + layout.skipped, layout.sample, "%")
    return open_csv(member, decimal, layout)
