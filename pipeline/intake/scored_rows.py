"""Rows to score: the features of any table, labelled or not, with requested columns."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components.scorer.file_scoring import Rows
from formats.content_key import hash_file
from formats.errors import DataRefusedError
from formats.features import FEATURES
from formats.locations import is_remote
from formats.published.shard_files import unreadable
from formats.published.tfrecord import RecordError
from pipeline.intake.column_mapping import ColumnMap, map_columns
from pipeline.intake.event_source import read_source
from pipeline.intake.input_sources import Source
from pipeline.intake.intake_error import IntakeError, quote
from pipeline.intake.requested_columns import RequestedColumn, find_requested
from pipeline.intake.table import Table
from pipeline.intake.table_events import Counts, IntakeOptions, apply_rules, check_order
from pipeline.intake.value_faults import Features, Flags, expected_values
from pipeline.intake.value_rules import ValueRules

_REMEDY = "Complete them"
_FLAG = "--flag-invalid scores the other rows, and gives the reasons in a column."
_IN_RUNS = (
    "These are options of `higgs score`; a run has score.columns, score.id and score.flag_invalid."
)
_MAX_CLAUSES = 3


@dataclass(frozen=True)
class RowOptions:
    """How rows are read.

    Attributes:
        intake: how the features are found and converted.
        id_column: the column that identifies a row; empty: its file and number do.
        columns: other columns to write, of the input or features.
        flag_invalid: give the reason for each row that is not valid, instead of refusing the input.
    """

    intake: IntakeOptions = field(default_factory=IntakeOptions)
    id_column: str = ""
    columns: tuple[str, ...] = ()
    flag_invalid: bool = False


@dataclass(frozen=True)
class TableRows:
    """The rows of one input.

    Attributes:
        source: the input.
        options: how it is read.
        in_run: whether a run reads it, which lacks the options that messages name.
        notes: what its reader noticed, once it was read in this process.
    """

    source: Source
    options: RowOptions = field(default_factory=RowOptions)
    in_run: bool = False
    notes: list[str] = field(default_factory=list, compare=False)

    @property
    def name(self) -> str:
        """The input's name, for messages."""
        return self.source.name

    def digest(self) -> str:
        """Identifies the content: the SHA-256 of a local file, the checksum of an object store.

        Returns:
            Empty for streams, and where the store has no checksums.

        Raises:
            DataRefusedError: the file cannot be read.
        """
        if self.source.uri:
            return _stored_checksum(self.source.uri)
        if not self.source.is_regular:
            return ""
        with self._refusing():
            return hash_file(cast("Path", self.source.path))

    def read(self, digest: str, on_read: Callable[[int], None]) -> Iterator[Rows]:
        """Reads the rows in order.

        Raises:
            DataRefusedError: the input cannot be read, has other content than the digest says, or
                rows that are not valid and must not be flagged.
        """
        counts, reader = Counts(), partial(_read_table, self.options)
        intake = self.options.intake
        intake = replace(intake, arrays=intake.arrays._replace(is_labelled=False))
        types: dict[str, pa.DataType] = {}
        with self._refusing():
            for rows in read_source(self.source, intake, counts, on_read, reader):
                _check_types(rows, types)
                yield rows
        self.notes.extend(counts.notes)
        # It may have changed since the digest was taken.
        if self.source.is_regular and counts.sources[0].sha256 != digest:
            raise DataRefusedError(
                f"{self.name} was changed while it was read; run the command again when nothing "
                "writes to it"
            )

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except (IntakeError, RecordError) as error:
            advice = f" {_IN_RUNS}" * (self.in_run and bool(re.search(r"--\w", str(error))))
            raise DataRefusedError(f"{error}{advice}") from error
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise unreadable(self.name, error) from error


def file_rows(path: str, columns: Sequence[str], id_column: str, flag_invalid: bool) -> TableRows:
    """Makes the rows of a file on a disk or in an object store, for the node Scorer."""
    options = RowOptions(id_column=id_column, columns=tuple(columns), flag_invalid=flag_invalid)
    remote = is_remote(path)
    source = Source(path, None if remote else Path(path), uri=path if remote else "")
    return TableRows(source, options, in_run=True)


def _stored_checksum(uri: str) -> str:
    from apache_beam.io.filesystem import BeamIOError
    from apache_beam.io.filesystems import FileSystems

    try:
        return f"{FileSystems.checksum(uri)}"
    except (BeamIOError, NotImplementedError):
        return ""


def _check_types(rows: Rows, types: dict[str, pa.DataType]) -> None:
    """Refuses a copied column whose type changes, such as between the members of an archive."""
    for name, values in rows.columns.items():
        if (first := types.setdefault(name, values.type)) != values.type:
            raise IntakeError(
                f"{rows.file}: from row {rows.first} on the column {quote(name)} holds "
                f"{values.type}, but {first} before. Write it with one type, or leave it out of "
                "--columns and --id."
            )


def _read_table(
    options: RowOptions,
    table: Table,
    label: int | None,
    intake: IntakeOptions,
    counts: Counts,
    on_fraction: Callable[[float], None],
) -> Iterator[Rows]:
    """Reads the rows of a table; the class of its events is ignored."""
    del label
    columns = map_columns(table, intake.columns, is_labelled=False)
    requested = find_requested(
        table, columns, options.columns, id_column=options.id_column, decimal=intake.decimal
    )
    faults = _RowFaults(intake.values.units) if options.flag_invalid else None
    rules = ValueRules(intake.values, faults.add if faults else None)
    first, sample = 1, None
    for batch in table.read(*_indices(columns, requested.values())):
        count = len(batch.columns[columns.features[0]])
        labels = np.zeros(count, np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            features, _ = apply_rules(table.name, batch, columns, labels, rules)
        if faults or not rules.faults.refusals():
            values = {
                name: column.values(name, batch, features) for name, column in requested.items()
            }
            matrix = np.ascontiguousarray(features.T)
            reasons = faults.take(count) if faults else None
            rows = Rows(table.name, first, matrix, reasons, values, not options.id_column)
            sample = check_order(table, sample, matrix[rows.is_valid], columns)
            yield rows
        first += count
        if batch.fraction is not None:
            on_fraction(batch.fraction)
    if first == 1 and not options.id_column:
        yield _no_rows(table.name, requested, faults.take(0) if faults else None)
    counts.read += first - 1
    counts.notes += table.notes
    _refuse_faults(table.name, rules, is_flagged=bool(faults))


def _indices(
    columns: ColumnMap, requested: Iterable[RequestedColumn]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the indices of the columns that are read as numbers, and as they are stored."""
    numbers = tuple(dict.fromkeys(columns.features))
    as_stored = {column.index for column in requested if column.feature is None}
    return numbers, tuple(sorted(as_stored - {*numbers}))


def _refuse_faults(name: str, rules: ValueRules, *, is_flagged: bool) -> None:
    if not is_flagged and (sentences := rules.faults.refusals(_REMEDY)):
        raise IntakeError(f"{name}: {' '.join(sentences)} {_FLAG}")
    if problem := rules.scale_problem():
        raise IntakeError(f"{name}: {problem}")


def _no_rows(
    name: str, requested: Mapping[str, RequestedColumn], reasons: NDArray[np.object_] | None
) -> Rows:
    """Makes rows of a table without any, with the columns whose types are known."""
    features = np.empty([0, len(FEATURES)], np.float32)
    columns = {
        name: pa.array(features[:, column.feature])
        for name, column in requested.items()
        if column.feature is not None
    }
    return Rows(name, 1, features, reasons, columns)


class _RowFaults:
    """Collects the faults of each row of a batch, in published units."""

    def __init__(self, units: str):
        self._units = units
        self._clauses: dict[int, list[str]] = {}

    def add(self, kind: str, columns: Mapping[str, Flags], features: Features) -> None:
        for name, rows in columns.items():
            for row in np.flatnonzero(rows).tolist():
                value = features[FEATURES.index(name), row]
                self._clauses.setdefault(row, []).append(self._describe(kind, name, value))

    def take(self, count: int) -> NDArray[np.object_]:
        """Returns the reasons of the rows since the last call, object [N]; None for valid rows."""
        clauses, self._clauses = self._clauses, {}
        reasons = np.full(count, None, object)
        for row, parts in clauses.items():
            more = f" and {len(parts) - _MAX_CLAUSES} more" if parts[_MAX_CLAUSES:] else ""
            reasons[row] = "; ".join(parts[:_MAX_CLAUSES]) + more
        return reasons

    def _describe(self, kind: str, name: str, value: np.float32) -> str:
        if kind == "missing":
            return f"{name} is {'infinite' if np.isinf(value) else 'missing'} ({value:.9g})"
        # The limits of the domain are those of published values, as the value is.
        units = "published" if kind == "domain" else self._units
        return f"{name} is {value:.9g}, {expected_values(kind, name, units)}"
