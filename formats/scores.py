"""Files of scores: Parquet with one row per row of an input, and a key in the footer.

A file holds the origin of each row (its file and its number from 1, or an id), the score, and any
requested columns. A row that was not scored has a null score, and the reason in a column.
"""

from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import parquet as pq

from formats.locations import is_remote
from formats.names import SIGNAL_PROBABILITY

FILES = "**/*.parquet"
"""Pattern of the files below a folder of scores."""

FILE = "file"
ROW = "row"
REASON = "reason"
RESERVED = (FILE, ROW, REASON, SIGNAL_PROBABILITY)
"""Names of columns that every file has, or that some options add."""

_KEY = b"higgs.key"


class ScoresFooter(NamedTuple):
    """The content of the footer of a file of scores.

    Attributes:
        rows: number of rows.
        flagged: number of rows without a score.
        key: identifies the input, the model and the options; empty if they are unknown.
    """

    rows: int
    flagged: int
    key: str


def with_key(schema: pa.Schema, key: str) -> pa.Schema:
    """Adds a key to the schema of a file of scores."""
    return schema.with_metadata({_KEY: key.encode()})


def read_footer(path: str) -> ScoresFooter | None:
    """Reads a footer; None if the file does not exist or is not a file of scores.

    Args:
        path: a file, on a disk or in an object store.
    """
    try:
        with _open(path) as file:
            metadata = pq.read_metadata(file)
    except (OSError, pa.ArrowInvalid):
        return None
    key = (metadata.metadata or {}).get(_KEY)
    names = metadata.schema.names
    if key is None or SIGNAL_PROBABILITY not in names:
        return None
    column = names.index(SIGNAL_PROBABILITY)
    groups = (metadata.row_group(i).column(column) for i in range(metadata.num_row_groups))
    flagged = sum(group.statistics.null_count for group in groups)
    return ScoresFooter(metadata.num_rows, flagged, key.decode())


def _open(path: str) -> Any:
    if not is_remote(path):
        return Path(path).open("rb")
    # Beam takes seconds to import, and local files do not need it.
    from formats.beam_files import open_file

    return open_file(path)
