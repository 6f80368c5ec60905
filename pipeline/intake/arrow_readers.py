"""Readers of Parquet files, data sets of Parquet files, and Arrow (Feather) files."""

import mmap
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset
from pyarrow import feather, ipc
from pyarrow import parquet as pq

from formats.column_names import known_column
from formats.features import FEATURES, NUM_FEATURES
from formats.published.record_parser import FEATURES_KEY
from pipeline.intake.byte_streams import damage_named, is_of_the_system
from pipeline.intake.input_members import Member
from pipeline.intake.intake_error import (
    IntakeError,
    JoinedFilesError,
    encodable,
    enumerate_names,
    shorten,
)
from pipeline.intake.table import Batch, Columns, Table, find_columns, make_batch

_BATCH_ROWS = 1 << 14
_BUFFER_BYTES = 1 << 20
_STREAM_END = b"\xff\xff\xff\xff" + bytes(4)


def open_parquet(member: Member, features: str | None, stack: ExitStack) -> Table:
    """Opens a Parquet file, which is read in batches of rows.

    Args:
        member: the file.
        features: the column of lists that holds them, if it was given.
        stack: keeps temporary files until the table was read.

    Raises:
        IntakeError: the file is damaged.
    """
    path = stack.enter_context(member.local_file())
    _check_path(member.name, path)
    with damage_named(member.name, "Parquet", pa.ArrowInvalid):
        file = pq.ParquetFile(path, buffer_size=_BUFFER_BYTES)
    rows = file.metadata.num_rows
    _check_footer(member.name, path, file.metadata)

    def batches(columns: list[str]) -> Iterator[tuple[str, pa.RecordBatch]]:
        yield from (("", batch) for batch in file.iter_batches(_BATCH_ROWS, columns=columns))

    return _arrow_table(member.name, member.description, file.schema_arrow, features, batches, rows)


def open_parquet_folder(folder: Path, files: Sequence[Path], features: str | None) -> Table:
    """Opens Parquet files of a folder with one schema, with Hive partitions as columns.

    Args:
        folder: the folder.
        files: those below it.
        features: the column of lists that holds them, if it was given.

    Raises:
        IntakeError: a file is damaged, or has other types.
    """
    for file in files:
        _check_path(encodable(str(file)), file)
    with damage_named(str(folder), "Parquet", pa.ArrowInvalid, pa.ArrowTypeError):
        _check_partitions(folder, files)
        dataset = pyarrow.dataset.dataset(
            [str(file) for file in files],
            format="parquet",
            partitioning="hive",
            partition_base_dir=str(folder),
        )
        fragments = list(dataset.get_fragments())
        rows = sum(fragment.count_rows() for fragment in fragments)
        for fragment in fragments:
            _check_footer(fragment.path, Path(fragment.path), fragment.metadata)
        _check_equal_columns(fragments)
        schema = _with_wide_floats(dataset.schema, fragments)

    def batches(columns: list[str]) -> Iterator[tuple[str, pa.RecordBatch]]:
        for fragment in fragments:
            part = os.path.relpath(fragment.path, folder)
            try:
                for batch in fragment.to_batches(
                    schema=schema, columns=columns, batch_size=_BATCH_ROWS
                ):
                    yield part, batch
            except pa.ArrowInvalid as error:
                raise pa.ArrowInvalid(f"{part}: {error}") from error

    kind = f"Parquet ({len(fragments)} files)"
    return _arrow_table(str(folder), kind, schema, features, batches, rows)


def _check_path(name: str, path: Path) -> None:
    """Refuses a path that is not UTF-8, which Arrow does not open."""
    if encodable(str(path)) != str(path):
        raise IntakeError(f"{name}: its path is not UTF-8, as this format requires. Rename it.")


def _check_partitions(folder: Path, files: Sequence[Path]) -> None:
    """Refuses a partition with the name of a column, which it would replace."""
    parts = {part for file in files for part in file.relative_to(folder).parts[:-1] if "=" in part}
    keys = {part.partition("=")[0] for part in parts}
    if twice := sorted(keys.intersection(pq.read_schema(files[0]).names)):
        raise IntakeError(
            f"{files[0]}: {enumerate_names(twice)} is a column of the file and also part of the "
            "files' paths. Remove one of them."
        )


def _check_footer(name: str, path: Path, metadata: Any) -> None:
    """Refuses encrypted columns, and files joined by ``cat``: only the last footer is read."""
    with path.open("rb") as file:
        file.seek(-8, os.SEEK_END)
        footer_bytes = int.from_bytes(file.read(4), "little")
    if footer_bytes > metadata.serialized_size:  # Arrow ends the process at an encrypted column.
        raise IntakeError(
            f"{name}: has a signed footer, as Parquet files with encrypted columns. Write it "
            "without encryption."
        )
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    chunks = [group.column(i) for group in groups for i in range(metadata.num_columns)]
    end = max((_start(chunk) + chunk.total_compressed_size for chunk in chunks), default=4)
    footer = path.stat().st_size - metadata.serialized_size - len("1234PAR1")
    if footer - end >= len("PAR1PAR1"):  # Or indexes, which not all programs write.
        _check_joint(name, path, "Parquet", b"PAR1PAR1")


def _start(chunk: Any) -> int:
    return min(filter(None, (chunk.dictionary_page_offset, chunk.data_page_offset)), default=4)


def _check_joint(name: str, path: Path, kind: str, joint: bytes) -> None:
    """Refuses a file in which one file ends and another starts."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(joint) >= 0:
            raise JoinedFilesError(name, f"{kind} file")


def _check_equal_columns(fragments: Sequence[Any]) -> None:
    """Refuses files whose columns differ from the first file's, which would be lost."""
    expected = {*fragments[0].physical_schema.names} if fragments else set()
    for fragment in fragments:
        if different := sorted(expected ^ {*fragment.physical_schema.names}):
            raise IntakeError(
                f"{fragment.path}: has other columns than {Path(fragments[0].path).name}: "
                f"{enumerate_names(different)} only in one of them. Write all files of a data set "
                "with the same columns."
            )


def _with_wide_floats(schema: pa.Schema, fragments: Sequence[Any]) -> pa.Schema:
    """Returns the first file's schema, with float64 where another file has it: no value is rounded.

    Other types that differ are converted, and refused if that changes a value.
    """
    wide = {
        field.name
        for fragment in fragments
        for field in fragment.physical_schema
        if field.type == pa.float64()
    }
    for i, field in enumerate(schema):
        if pa.types.is_floating(field.type) and field.name in wide:
            schema = schema.set(i, field.with_type(pa.float64()))
    return schema


def open_arrow(member: Member, features: str | None, stack: ExitStack) -> Table:
    """Opens an Arrow file or stream, or a Feather file of version 1; see `open_parquet`.

    Raises:
        IntakeError: the file is damaged.
    """
    path, notes = stack.enter_context(member.local_file()), []
    _check_path(member.name, path)
    with damage_named(member.name, "Arrow", pa.ArrowInvalid):
        if member.head.startswith(b"FEA1"):
            _check_joint(member.name, path, "Feather", b"FEA1FEA1")
            table = feather.read_table(path)
            schema, parts, rows = table.schema, table.to_batches(_BATCH_ROWS), table.num_rows
        elif member.head.startswith(b"ARROW1"):
            _check_joint(member.name, path, "Arrow", b"ARROW1ARROW1\0\0")
            reader = ipc.open_file(stack.enter_context(pa.memory_map(str(path))))
            schema, rows = reader.schema, 0
            parts = map(reader.get_batch, range(reader.num_record_batches))
        else:
            source = stack.enter_context(pa.memory_map(str(path)))
            stream = ipc.open_stream(source)
            schema, parts, rows = stream.schema, _all_batches(member.name, stream, source), 0
            notes = _unfinished(member.name, path)

    def batches(columns: list[str]) -> Iterator[tuple[str, pa.RecordBatch]]:
        indices = [schema.get_field_index(name) for name in columns]
        for part in parts:
            chosen = pa.RecordBatch.from_arrays([part.column(i) for i in indices], columns)
            for start in range(0, part.num_rows, _BATCH_ROWS):  # A file may have one batch only.
                yield "", chosen.slice(start, _BATCH_ROWS)

    return _arrow_table(member.name, member.description, schema, features, batches, rows, notes)


def _all_batches(name: str, stream: Any, source: Any) -> Iterator[pa.RecordBatch]:
    yield from stream
    if source.tell() < source.size():
        raise JoinedFilesError(name, "Arrow stream")


def _unfinished(name: str, path: Path) -> list[str]:
    """Returns a note if a stream does not end with its end mark, which is optional."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(_STREAM_END)))
        is_finished = file.read() == _STREAM_END
    reason = "its stream has no end mark; if it was cut there, the events after it are missing"
    return [] if is_finished else [f"{name}: {reason}"]


def _arrow_table(
    name: str,
    kind: str,
    schema: pa.Schema,
    features: str | None,
    batches: Any,
    rows: int,
    notes: Sequence[str] = (),
) -> Table:
    """Makes a table of record batches; a column of 28 values counts as the features.

    Args:
        name: of the input.
        kind: its description.
        schema: of the columns.
        features: the column of lists that holds them, if it was given.
        batches: gives the batches of some columns, by name, each with the file that it is from.
        rows: number of rows; 0 if unknown.
        notes: what the reader noticed.
    """
    columns = _find_columns(name, schema, features)
    _check_names(name, columns.scalars)
    read = partial(_read_batches, name, columns, batches, rows)
    is_vector, guess = columns.vector is not None, columns.guess
    return Table(name, kind, columns.names, read, [*notes], guess, is_vector)


def _read_batches(
    name: str,
    columns: Columns,
    batches: Any,
    rows: int,
    numbers: Sequence[int],
    texts: Sequence[int],
) -> Iterator[Batch]:
    """Reads columns of a table by their indices, as `Table.read` does."""
    names = columns.scalars
    wanted = [i for i in (*numbers, *texts) if i < len(names)]
    vector = [str(columns.vector)] * (len(wanted) < len(numbers) + len(texts))
    file, start, done = "", 0, 0
    try:
        for origin, part in batches([*(names[i] for i in wanted), *vector]):
            file, start = origin, start if origin == file else 0
            arrays = {i: part.column(k) for k, i in enumerate(wanted)}
            if vector:
                place = f"{name}/{file}" if file else name
                arrays |= _split_vector(place, part.column(len(wanted)), len(names), start)
            values = {
                i: array if i in texts else _to_numbers(name, columns.names[i], array)
                for i, array in arrays.items()
            }
            start, done = start + part.num_rows, done + part.num_rows
            yield make_batch(
                values, start - part.num_rows, "row", done / rows if rows else None, file
            )
    except (pa.ArrowInvalid, OSError) as error:
        if is_of_the_system(error):
            raise
        raise IntakeError(
            f"{name}: cannot be read after row {done} ({str(error).splitlines()[0]}). "
            "Fetch or write the file again."
        ) from error


def _find_columns(name: str, schema: pa.Schema, chosen: str | None) -> Columns:
    """Finds the columns to read; see `find_columns`."""
    is_list = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    lists = [
        field.name
        for field in schema
        if any(test(field.type) for test in is_list)
        and not pa.types.is_nested(field.type.value_type)
        and getattr(field.type, "list_size", NUM_FEATURES) == NUM_FEATURES
    ]
    if chosen is None and FEATURES_KEY in lists:
        lists = [FEATURES_KEY]
    columns = find_columns(name, schema.names, lists, chosen)
    nested = next((field for field in schema if pa.types.is_nested(field.type)), None)
    has_features = any(known_column(column) in FEATURES for column in schema.names)
    if columns.vector is not None or columns.guess or not nested or has_features:
        return columns
    return columns._replace(
        guess=f"the column {shorten(nested.name)} holds {shorten(str(nested.type))} instead of one "
        "number per event. Write one column per feature, or one list of 28 numbers."
    )


def _check_names(name: str, names: Iterable[str]) -> None:
    for column, count in Counter(names).items():
        if count > 1:
            raise IntakeError(
                f"{name}: has two columns with the name {shorten(column)}. Rename or drop one."
            )


def _split_vector(name: str, column: Any, first: int, start: int) -> dict[int, Any]:
    if pa.types.is_fixed_size_list(column.type):
        sizes = np.where(column.is_valid(), column.type.list_size, 0)
    else:
        sizes = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    if (invalid := sizes != NUM_FEATURES).any():
        raise IntakeError(
            f"{name}: row {start + int(invalid.argmax()) + 1} does not have {NUM_FEATURES} "
            "features in its list. Correct or leave out the row."
        )
    matrix = _to_numbers(name, "features", column.flatten()).reshape(-1, NUM_FEATURES)
    return {first + i: matrix[:, i] for i in range(NUM_FEATURES)}


def _to_numbers(name: str, column: str, array: Any) -> Any:
    if not isinstance(array, pa.Array):
        return array
    kind = array.type
    if pa.types.is_dictionary(kind):
        array = array.dictionary_decode()
        kind = array.type
    if pa.types.is_decimal(kind) or pa.types.is_float16(kind):
        return array.to_numpy(zero_copy_only=False).astype("f8")
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        raise IntakeError(
            f"{name}: the column {shorten(column)} holds {shorten(str(kind))}, not numbers. Write "
            "it as float32."
        )
    return array.to_numpy(zero_copy_only=False)
