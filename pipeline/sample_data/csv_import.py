"""Import of UCI's ``HIGGS.csv.gz``: the label first, then the 28 features, no header."""

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from formats.features import COLUMNS, FEATURES, LABEL
from formats.published.record import Events
from formats.published.tfrecord import GZIP_MAGIC, describe, open_plain
from pipeline.sample_data.event_streams import split_last
from pipeline.sample_data.shard_writer import SHARD_SIZE, SplitSize, write_dataset

PUBLISHED_VALIDATION_ROWS = 500_000
"""Size of the validation set by convention: the last of UCI's 11,000,000 rows."""

_BLOCK_BYTES = 8 << 20
_LAYOUT = f"Expected UCI's HIGGS.csv: no header, {len(COLUMNS)} numbers per line, the label first"


class CsvError(ValueError):
    """A CSV file in another layout than UCI's; the message has file, line, reason and remedy."""


def read_csv(path: Path, on_read: Callable[[int], None] = lambda _: None) -> Iterator[Events]:
    """Reads a CSV file in blocks of a few MB, each value as ``np.float32(float(text))``.

    Args:
        path: the file, gzip or plain, recognized by its first bytes.
        on_read: called with the number of bytes of the file read so far.

    Raises:
        CsvError: at the first line that is not a label of 0 or 1 and 28 finite numbers.
    """
    count = 0
    # An Arrow file, not a Python file: Arrow reads ahead in a thread, and if that thread needed
    # the interpreter, stopping at an invalid line could deadlock.
    file = pa.OSFile(str(path))
    try:
        for batch in _open(file):
            events = _to_events(batch)
            if not _is_valid(events):
                raise _csv_error(path, count)
            yield events
            count += len(events.labels)
            on_read(file.tell())
    except (pa.ArrowInvalid, OSError) as error:
        raise _csv_error(path, count) from error


def _open(file: pa.NativeFile) -> csv.CSVStreamingReader:
    is_gzip = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    file.seek(0)
    return csv.open_csv(
        pa.CompressedInputStream(file, "gzip") if is_gzip else file,
        csv.ReadOptions(column_names=COLUMNS, block_size=_BLOCK_BYTES),
        # If empty lines count as rows, rows and lines have the same numbers.
        csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
        csv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.float64()), null_values=[]),
    )


def _to_events(batch: pa.RecordBatch) -> Events:
    features = np.empty((batch.num_rows, len(FEATURES)), np.float32)
    with np.errstate(over="ignore"):  # Overflow gives infinity, which is rejected.
        for index, column in enumerate(batch.columns[1:]):
            features[:, index] = column.to_numpy(zero_copy_only=False)
    return Events(features, batch.column(0).to_numpy(zero_copy_only=False).astype(np.float32))


def _is_valid(events: Events) -> bool:
    has_valid_label = (events.labels == 0) | (events.labels == 1)
    return bool(has_valid_label.all() and np.isfinite(events.features).all())


def _csv_error(path: Path, valid_lines: int) -> CsvError:
    """Finds the first invalid line after a number of valid ones."""
    with path.open("rb") as file:
        lines = enumerate(open_plain(file)[0], start=1)
        number = valid_lines
        try:
            for number, line in islice(lines, valid_lines, None):
                if reason := _line_problem(line):
                    return CsvError(f"{path}: line {number} {reason}")
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            return CsvError(
                f"{path}: line {number + 1} cannot be unpacked: the gzip data is truncated or "
                f"corrupt ({error}). Fetch the file again."
            )
    problem = f"cannot be read after line {number}" if number else "holds no rows"
    return CsvError(f"{path}: {problem}. {_LAYOUT}.")


def _line_problem(line: bytes) -> str:
    """Says what is wrong with a line, and what to do; empty if nothing is."""
    cells = line.rstrip(b"\r\n").split(b",")
    if len(cells) != len(COLUMNS):
        columns = f"{len(cells)} column{'s' if cells[1:] else ''}"
        kind = "" if b"," in line else f" (it looks like {describe(line)})"
        return f"has {columns}, not {len(COLUMNS)}{kind}. {_LAYOUT}."
    for name, cell in zip(COLUMNS, cells, strict=True):
        if reason := _cell_problem(name, cell.decode(errors="replace")):
            return reason
    return ""


def _cell_problem(name: str, text: str) -> str:
    try:
        with np.errstate(over="ignore"):
            value = np.float32(float(text.replace("_", "?")))
    except ValueError:
        return f"has {text!r} as {name}, which is not a number. {_LAYOUT}; delete any header line."
    if name == LABEL and value not in (0, 1):
        return f"has the label {text}, which is neither 0 nor 1. Correct or delete the line."
    if not np.isfinite(value):
        return f"has {text} as {name}, which is not a finite float32. Correct or delete the line."
    return ""


def convert(
    path: Path,
    directory: Path,
    *,
    validation_rows: int | None = None,
    shard_size: int = SHARD_SIZE,
    overwrite: bool = False,
    on_read: Callable[[int], None] = lambda _: None,
) -> dict[str, SplitSize]:
    """Converts a CSV file to ``training/`` and ``validation/`` in the published layout.

    Args:
        path: the file, as for `read_csv`.
        directory: the folder of the two folders, as for `write_dataset`.
        validation_rows: number of the last rows that form the validation set. None means the
            convention for UCI's file, the last 500,000, but at most a fifth of the rows.
        shard_size: events per shard.
        overwrite: replace the shards of an earlier data set.
        on_read: called with the number of bytes of the file read so far.

    Raises:
        CsvError: the file has another layout, or not more than `validation_rows` rows.
        OutputExistsError: as for `write_dataset`.
    """
    rows = read_csv(path, on_read)
    if validation_rows is None:
        parts = split_last(rows, conventional_validation_rows)
    else:
        fixed = validation_rows
        parts = split_last(_require_more(fixed, rows, path), lambda _: fixed)
    return write_dataset(directory, *parts, shard_size=shard_size, overwrite=overwrite)


def conventional_validation_rows(rows: int) -> int:
    """Returns the number of validation rows by convention: a fifth, at most 500,000."""
    return min(PUBLISHED_VALIDATION_ROWS, rows // 5)


def _require_more(limit: int, rows: Iterable[Events], path: Path) -> Iterator[Events]:
    count = 0
    for chunk in rows:
        yield chunk
        count += len(chunk.labels)
    if count <= limit:
        raise CsvError(
            f"{path}: has {count} rows, so the last {limit} leave none to train on. "
            f"Choose fewer than {count} --validation-rows."
        )
