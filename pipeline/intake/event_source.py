"""Events of one input: opens it, unpacks it and reads the tables in it."""

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from tarfile import TarError
from typing import Any
from zipfile import BadZipFile

from components.serving_check.probe import machine_fault
from formats.atomic_files import naming
from formats.content_key import BLOCK_BYTES, HashingReader, hash_file
from formats.errors import one_line
from formats.published.manifest import SourceEntry
from formats.unchanged_files import unchanged
from pipeline.intake.arrow_readers import open_parquet_folder
from pipeline.intake.byte_streams import UNPACKING_ERRORS, is_of_the_system
from pipeline.intake.input_members import Member, open_members
from pipeline.intake.input_sources import Source, open_source
from pipeline.intake.intake_error import IntakeError
from pipeline.intake.table import Table
from pipeline.intake.table_events import Counts, IntakeOptions, read_table
from pipeline.intake.table_formats import open_table

TableReader = Callable[
    [Table, int | None, IntakeOptions, Counts, Callable[[float], None]], Iterator[Any]
]
"""Reads the events of a table, as `read_table` does."""

_Read = Callable[[Table, int], Iterator[Any]]
"""Reads the events of a table in an input of so many bytes."""

_FAULTS = (*UNPACKING_ERRORS, TarError, BadZipFile)

_READ_BY_LIBRARIES = ("Arrow", "HDF5", "NumPy array", "NumPy archive", "Parquet", "ROOT")
"""Formats whose readers raise errors of any kind for damaged or hostile files."""


def read_source(
    source: Source,
    options: IntakeOptions,
    counts: Counts,
    on_read: Callable[[int], None],
    reader: TableReader = read_table,
) -> Iterator[Any]:
    """Reads the events of an input in chunks.

    Args:
        source: the input.
        options: how it is read.
        counts: is updated.
        on_read: called with the number of bytes of the input read so far.
        reader: reads each table in it.

    Yields:
        What the reader yields: `Events`, unless another one is given.

    Raises:
        IntakeError: the input cannot be read, or contains events that the options do not accept.
        DataRefusedError: it was changed while it was read.
    """

    def read(table: Table, size: int) -> Iterator[Any]:
        yield from reader(
            table, source.label, options, counts, lambda part: on_read(int(part * size))
        )

    if source.path is not None and source.path.is_dir():
        with unchanged(*source.files):
            table = open_parquet_folder(source.path, source.files, options.arrays.features)
            yield from _read_folder(source, table, counts, read)
        return
    files = [source.path] if source.path and source.is_regular else []
    with unchanged(*files), naming(source.name), open_source(source) as file:
        yield from _read_file(source, HashingReader(file, on_read), options, counts, read)


def _read_folder(source: Source, table: Table, counts: Counts, read: _Read) -> Iterator[Any]:
    size, before = source.bytes or 0, counts.read
    yield from read(table, size)
    counts.sources.append(
        SourceEntry(name=source.name, kind=table.kind, bytes=size, events=counts.read - before)
    )


def _read_file(
    source: Source, raw: HashingReader, options: IntakeOptions, counts: Counts, read: _Read
) -> Iterator[Any]:
    path, size = source.path if source.is_regular else None, source.bytes or 0
    before, kinds = counts.read, dict[str, None]()
    with _faults_named(source.name, counts):
        for member in open_members(source.name, io.BufferedReader(raw, BLOCK_BYTES), path):
            kinds[member.description] = None
            with _library_faults_named(member, counts), ExitStack() as stack:
                yield from read(open_table(member, options, source.tree, stack), size)
    counts.sources.append(
        SourceEntry(
            name=source.name,
            kind=", ".join(kinds),
            bytes=size if path else raw.bytes,
            sha256=hash_file(path) if path and raw.bytes < size else raw.finish(),
            events=counts.read - before,
        )
    )


@contextmanager
def _faults_named(name: str, counts: Counts) -> Iterator[None]:
    """Adds the input's name to errors of unpacking it."""
    before = counts.read
    try:
        yield
    except _FAULTS as error:
        if is_of_the_system(error):
            raise
        raise IntakeError(
            f"{name}: cannot be unpacked after {counts.read - before:,} events: the data is "
            f"truncated or corrupt ({error}). Fetch the file again; if it is one of several parts, "
            "join them first."
        ) from error


@contextmanager
def _library_faults_named(member: Member, counts: Counts) -> Iterator[None]:
    """Adds the input's name to every error that a library raises for it."""
    before = counts.read
    try:
        yield
    except (IntakeError, *_FAULTS):
        raise
    except Exception as error:
        is_memory = isinstance(machine_fault(error), MemoryError)
        if member.kind not in _READ_BY_LIBRARIES or (is_of_the_system(error) and not is_memory):
            raise
        start = (
            f"{member.name}: cannot be read as {member.kind} after {counts.read - before:,} events:"
        )
        if is_memory:
            raise IntakeError(
                f"{start} it asks for more memory than this process may use. Allow more "
                "(`ulimit -v`); if other programs cannot read it either, fetch it again."
            ) from error
        if isinstance(error, ModuleNotFoundError):  # uproot names the packages of a compression.
            raise IntakeError(f"{start} {one_line(error)}") from error
        reason = type(error).__name__
        raise IntakeError(
            f"{start} it is truncated, corrupt, or of another version ({reason}). Fetch it again."
        ) from error
