"""UCI's ``HIGGS.csv.gz`` (label first, then the 28 features, no header) to the published layout."""

import gzip
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from formats.features import COLUMNS, FEATURES, LABEL
from formats.published.record import Events
from formats.published.tfrecord import GZIP_MAGIC, describe, open_plain
from pipeline.sample_data.shard_writer import SHARD_SIZE, Written, write_dataset

PUBLISHED_VALIDATION_ROWS = 500_000
"""Rows that are the validation set by convention: the last of UCI's 11,000,000."""

_BLOCK_BYTES = 8 << 20
_LAYOUT = f"Expected UCI's HIGGS.csv: no header, {len(COLUMNS)} numbers a line, the label first"


class CsvError(ValueError):
    """A CSV file that is not UCI's layout; the message has file, line, reason and remedy."""


def read_csv(path: Path, on_read: Callable[[int], None] = lambda _: None) -> Iterator[Events]:
    """Reads a CSV file in blocks of a few MB, each value as ``np.float32(float(text))``.

    Args:
        path: the file, gzip or plain, which its first bytes tell.
        on_read: called with the number of bytes of the file read so far.

    Raises:
        CsvError: at the first line that is not a label of 0 or 1 and 28 finite numbers.
    """
    count = 0
    # Arrow's own file, not one of Python's: Arrow reads ahead in a thread of its own, which must
    # not need the interpreter, or giving up on a bad line can wait for ever.
    file = pa.OSFile(str(path))
    try:
        for batch in _open(file):
            events = _to_events(batch)
            if not _valid(events):
                raise _fault(path, count)
            yield events
            count += len(events.labels)
            on_read(file.tell())
    except (pa.ArrowInvalid, OSError) as error:
        raise _fault(path, count) from error


def _open(file: pa.NativeFile) -> csv.CSVStreamingReader:
    packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    file.seek(0)
    return csv.open_csv(
        pa.CompressedInputStream(file, "gzip") if packed else file,
        csv.ReadOptions(column_names=COLUMNS, block_size=_BLOCK_BYTES),
        # With empty lines counted as rows, rows and lines have the same numbers.
        csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
        csv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.float64()), null_values=[]),
    )


def _to_events(batch: pa.RecordBatch) -> Events:
    features = np.empty((batch.num_rows, len(FEATURES)), np.float32)
    with np.errstate(over="ignore"):  # What overflows is infinite, and refused as such.
        for place, column in enumerate(batch.columns[1:]):
            features[:, place] = column.to_numpy(zero_copy_only=False)
    return Events(features, batch.column(0).to_numpy(zero_copy_only=False).astype(np.float32))


def _valid(events: Events) -> bool:
    labels_fit = (events.labels == 0) | (events.labels == 1)
    return bool(labels_fit.all() and np.isfinite(events.features).all())


def _fault(path: Path, good_lines: int) -> CsvError:
    """Finds the first line at fault after so many good ones."""
    with path.open("rb") as file:
        lines = enumerate(open_plain(file)[0], start=1)
        number = good_lines
        try:
            for number, line in islice(lines, good_lines, None):
                if reason := _line_fault(line):
                    return CsvError(f"{path}: line {number} {reason}")
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            return CsvError(
                f"{path}: line {number + 1} cannot be unpacked: the gzip data is truncated or "
                f"corrupt ({error}). Fetch the file again."
            )
    what = f"cannot be read after line {number}" if number else "holds no rows"
    return CsvError(f"{path}: {what}. {_LAYOUT}.")


def _line_fault(line: bytes) -> str:
    """What is wrong with a line, and what to do; empty when nothing is."""
    cells = line.rstrip(b"\r\n").split(b",")
    if len(cells) != len(COLUMNS):
        found = "" if b"," in line else f" (it looks like {describe(line)})"
        return f"has {len(cells)} columns, not {len(COLUMNS)}{found}. {_LAYOUT}."
    for name, cell in zip(COLUMNS, cells, strict=True):
        if reason := _cell_fault(name, cell.decode(errors="replace")):
            return reason
    return ""


def _cell_fault(name: str, text: str) -> str:
    try:
        with np.errstate(over="ignore"):
            value = np.float32(float(text.replace("_", "?")))
    except ValueError:
        return f"has {text!r} as {name}, which is no number. {_LAYOUT}; delete any header line."
    if name == LABEL and value not in (0, 1):
        return f"has the label {text}, which is neither 0 nor 1. Correct or delete the line."
    if not np.isfinite(value):
        return f"has {text} as {name}, which is no finite float32. Correct or delete the line."
    return ""


def convert(
    path: Path,
    directory: Path,
    *,
    validation_rows: int | None = None,
    shard_size: int = SHARD_SIZE,
    overwrite: bool = False,
    on_read: Callable[[int], None] = lambda _: None,
) -> dict[str, Written]:
    """Converts a CSV file to ``training/`` and ``validation/`` in the published layout.

    Args:
        path: the file, as for `read_csv`.
        directory: where the folders go, as for `write_dataset`.
        validation_rows: how many of the last rows are the validation set. None means the
            convention for UCI's file, the last 500,000, but at most a fifth of the rows.
        shard_size: events in a shard.
        overwrite: replace the shards of an earlier data set.
        on_read: called with the number of bytes of the file read so far.

    Raises:
        CsvError: the file has another layout, or no more than `validation_rows` rows.
        OutputExistsError: as for `write_dataset`.
    """
    rows = read_csv(path, on_read)
    if validation_rows is None:
        parts = split_last(rows, conventional_validation_rows)
    else:
        fixed = validation_rows
        parts = split_last(_more_than(fixed, rows, path), lambda _: fixed)
    return write_dataset(directory, *parts, shard_size=shard_size, overwrite=overwrite)


def conventional_validation_rows(rows: int) -> int:
    """How many of so many rows are the validation set: a fifth, at most 500,000."""
    return min(PUBLISHED_VALIDATION_ROWS, rows // 5)


def _more_than(limit: int, rows: Iterable[Events], path: Path) -> Iterator[Events]:
    count = 0
    for chunk in rows:
        yield chunk
        count += len(chunk.labels)
    if count <= limit:
        raise CsvError(
            f"{path}: has {count} rows, so the last {limit} leave none to train on. "
            f"Choose fewer than {count} --validation-rows."
        )


def split_last(
    chunks: Iterable[Events], last: Callable[[int], int]
) -> tuple[Iterator[Events], Iterator[Events]]:
    """The events up to the last few, and the last few, of a stream whose length is not known.

    Args:
        chunks: events in order.
        last: how many of so many events are the last few. Whatever more events come, those
            before them must stay so. No more than these, and a chunk, are held in memory.

    Returns:
        Both parts; the first must be used up before the second.
    """
    held: deque[Events] = deque()

    def head() -> Iterator[Events]:
        count = kept = 0
        for chunk in chunks:
            held.append(chunk)
            count, kept = count + len(chunk.labels), kept + len(chunk.labels)
            while held and kept - len(held[0].labels) >= last(count):
                kept -= len(held[0].labels)
                yield held.popleft()
        if (surplus := kept - last(count)) > 0:
            features, labels = held.popleft()
            held.appendleft(Events(features[surplus:], labels[surplus:]))
            yield Events(features[:surplus], labels[:surplus])

    def tail() -> Iterator[Events]:
        while held:
            yield held.popleft()

    return head(), tail()
