"""Writer of a file of scores, which appears complete or not at all."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet as pq

from formats.atomic_files import atomic_path, naming, remove_leftovers
from formats.errors import DataRefusedError
from formats.locations import is_remote
from formats.names import SIGNAL_PROBABILITY
from formats.scores import FILE, REASON, with_key

ROW_GROUP_ROWS = 1 << 17
"""Rows per row group."""

EMPTY = pa.schema([pa.field(SIGNAL_PROBABILITY, pa.float32())])
"""The columns of an input without rows."""


class ScoreWriter:
    """Collects tables into row groups; all tables have the columns of the first.

    Attributes:
        rows: number of rows so far.
        flagged: number of rows without a score among them.
    """

    def __init__(self, target: Any, key: str):
        """Writes to an open file; nothing is written before the first table."""
        self._target, self._key = target, key
        self._writer: pq.ParquetWriter | None = None
        self._pending: list[pa.Table] = []
        self.rows = self.flagged = 0

    def add(self, table: pa.Table) -> None:
        """Takes the next rows."""
        self._pending.append(table)
        self.rows += len(table)
        self.flagged += table.column(SIGNAL_PROBABILITY).null_count
        if sum(map(len, self._pending)) >= ROW_GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        """Completes the file."""
        self._flush()
        writer = self._writer or self._open(EMPTY)
        writer.close()

    def abandon(self) -> None:
        """Closes the file after an error, which is the one to report."""
        if self._writer:
            with suppress(OSError, pa.ArrowException):
                self._writer.close()

    def _flush(self) -> None:
        if self._pending:
            table = pa.concat_tables(self._pending)
            writer = self._writer or self._open(table.schema)
            if len(table):  # a row group without rows has no statistics, which the footer counts
                writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
            self._pending = []

    def _open(self, schema: pa.Schema) -> pq.ParquetWriter:
        texts = [name for name in (FILE, REASON) if name in schema.names]
        self._writer = pq.ParquetWriter(
            self._target,
            with_key(schema, self._key),
            version="2.6",  # Earlier versions have no nanoseconds.
            compression="zstd",
            use_dictionary=texts,
        )
        return self._writer


@contextmanager
def score_writer(path: str, key: str) -> Iterator[ScoreWriter]:
    """Yields a writer of a file that appears when the block succeeds, and not at all otherwise.

    Args:
        path: the file, on a disk or in an object store.
        key: is stored in the footer.

    Raises:
        DataRefusedError: Parquet has no form for the values of a column.
        OSError: the file cannot be written.
    """
    with _staged(path) as target, naming(path):
        writer = ScoreWriter(target, key)
        try:
            yield writer
            writer.close()
        except BaseException as error:
            writer.abandon()
            if isinstance(error, pa.ArrowNotImplementedError):
                raise DataRefusedError(
                    f"{path} cannot be written, because Parquet has no form for the type of a "
                    f"copied column ({error}); copy other columns"
                ) from error
            raise


@contextmanager
def _staged(path: str) -> Iterator[Any]:
    if not is_remote(path):
        remove_leftovers(Path(path))
        # Arrow itself would refuse a name that is not UTF-8.
        with atomic_path(Path(path)) as staged, staged.open("wb") as file:
            yield file
        return
    from apache_beam.io.filesystems import FileSystems

    # A worker may be started again while it still runs, so the names differ.
    temporary = f"{path}.{uuid.uuid4().hex}.tmp"
    try:
        with FileSystems.create(temporary) as stream:
            yield stream
        FileSystems.rename([temporary], [path])
    except BaseException:
        with suppress(Exception):
            FileSystems.delete([temporary])
        raise
