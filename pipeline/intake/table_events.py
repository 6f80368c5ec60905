"""Events of a table: maps its columns, encodes its labels and applies the rules for values."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from formats.column_names import count_from_zero, is_of_tmva
from formats.features import NUM_FEATURES
from formats.published.column_order import MIN_EVENTS, SAMPLE_EVENTS, find_order_problem
from formats.published.manifest import SourceEntry
from formats.published.record import Events
from pipeline.intake.array_tables import ArrayChoice
from pipeline.intake.column_mapping import ColumnMap, ColumnOptions, map_columns
from pipeline.intake.intake_error import IntakeError, enumerate_names, quote
from pipeline.intake.label_values import LabelValues, present_values
from pipeline.intake.table import Batch, Table
from pipeline.intake.value_faults import ValueOptions, describe_value
from pipeline.intake.value_rules import ValueRules

_MAX_INTEGER = 2.0**53
"""Below it, float64 holds every integer."""


class KeptEvents(NamedTuple):
    """Events with additional columns.

    Attributes:
        features: float32 [N, 28].
        labels: float32 [N].
        kept: float32 [N, K], the additional columns.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.float32]
    kept: NDArray[np.float32]


@dataclass(frozen=True)
class IntakeOptions:
    """All options that affect how inputs are read.

    Attributes:
        columns: how columns are found.
        labels: the two values of the label.
        values: units, missing values and b-tags.
        decimal: the decimal separator of text tables, ``.`` or ``,``.
        arrays: names of arrays or keys.
    """

    columns: ColumnOptions = field(default_factory=ColumnOptions)
    labels: LabelValues = field(default_factory=LabelValues)
    values: ValueOptions = field(default_factory=ValueOptions)
    decimal: str = "."
    arrays: ArrayChoice = field(default_factory=ArrayChoice)


@dataclass
class Counts:
    """What was read so far.

    Attributes:
        read: number of events, complete or not.
        dropped: number of events dropped, by reason.
        changed: number of events with changed values, by reason.
        sources: one entry per input that was read to its end.
        notes: remarks for the summary, in the order in which they arose.
        tables: names of the tables with events, by the SHA-256 of their features.
        unnamed: name of a table without names of columns; empty if all have them.
        reordered: name of a table whose names are in another than the published order.
    """

    read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    sources: list[SourceEntry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tables: dict[bytes, str] = field(default_factory=dict)
    unnamed: str = ""
    reordered: str = ""

    def add_columns(self, name: str, columns: ColumnMap) -> None:
        """Adds the columns of a table before it is read.

        Raises:
            IntakeError: a table has no names, and another one has them in its own order: the
                first may be a part of the second, as ``split`` makes them.
        """
        if columns.by_position:
            self.unnamed = self.unnamed or name
        elif list(columns.features) != sorted(columns.features):
            self.reordered = self.reordered or name
        if self.unnamed and self.reordered:
            raise IntakeError(
                f"{self.unnamed}: has no names of columns, but {self.reordered} has them in "
                "another order than the published one. Write the names into its first line, too."
            )

    def add_table(self, name: str, digest: bytes) -> None:
        """Adds a table whose events were all read.

        Raises:
            IntakeError: another table has the same events, in whatever format or archive.
        """
        first = self.tables.setdefault(digest, name)
        if first != name:
            raise IntakeError(
                f"{name} and {first} have the same events, so each would occur twice. "
                "Remove one of them."
            )


@dataclass
class _PartContents:
    """Hash of the events of each part of a table that has some."""

    parts: dict[str, Any] = field(default_factory=dict)

    def add(self, part: str, features: NDArray[np.float32]) -> None:
        if len(features):
            self.parts.setdefault(part, hashlib.sha256()).update(features)

    def add_to(self, counts: Counts, name: str) -> None:
        for part, content in self.parts.items():
            counts.add_table(f"{name}/{part}" if part else name, content.digest())


def read_table(
    table: Table,
    label: int | None,
    options: IntakeOptions,
    counts: Counts,
    on_fraction: Callable[[float], None],
) -> Iterator[Events]:
    """Reads the events of a table in chunks.

    Args:
        table: the table.
        label: 1 or 0, if all its events are of one class.
        options: how it is read.
        counts: is updated.
        on_fraction: called with the part of the table read so far, if it is known.

    Raises:
        IntakeError: it has other columns, the events of an earlier table, or events that the
            options do not accept. In the last case it was read to its end, so that the counts of
            the message are exact.
    """
    columns = map_columns(table, options.columns, is_labelled=label is None)
    _check_label_name(table.name, columns, options.labels)
    counts.add_columns(table.name, columns)
    _add_notes(table, columns, counts)
    rules, before = ValueRules(options.values), counts.read
    numbers = tuple(dict.fromkeys((*columns.features, *columns.kept.values())))
    texts = tuple(i for i in (columns.label, columns.ignored_label) if i is not None)
    contents, classes, sample = _PartContents(), set[str](), None
    for batch in table.read(numbers, texts):
        if columns.ignored_label is not None and len(classes) <= 2:
            classes |= present_values(batch.columns[columns.ignored_label])
        labels = _labels(table.name, batch, columns, label, options.labels)
        counts.read += len(labels)
        # Overflow gives infinity, which counts as missing, as every kind of NaN does.
        with np.errstate(over="ignore", invalid="ignore"):
            events = _to_events(table.name, batch, columns, labels, rules)
        if not rules.faults.refusals():
            sample = check_order(table, sample, events.features, columns)
            contents.add(batch.part, events.features)
            yield events  # type: ignore[misc]
        if batch.fraction is not None:
            on_fraction(batch.fraction)
    counts.notes += table.notes
    if counts.read == before:
        counts.notes.append(f"{table.name}: has no rows")
    if sentences := rules.faults.refusals() or [*filter(None, [rules.scale_problem()])]:
        raise IntakeError(f"{table.name}: {' '.join(sentences)}")
    if columns.ignored_label is not None:
        _check_one_class(table.name, columns.names[columns.ignored_label], classes, label)
    contents.add_to(counts, table.name)
    counts.dropped.update(rules.dropped)
    counts.changed.update(rules.changed)


def _check_label_name(name: str, columns: ColumnMap, values: LabelValues) -> None:
    """Refuses a label whose name says background, because its 1 would be taken for signal."""
    label = "" if columns.label is None else columns.names[columns.label]
    is_inverse = is_of_tmva(label) or re.search("background|bkg|bg", label, re.IGNORECASE)
    if is_inverse and not values.are_given:
        of_tmva = ", as in TMVA's trees" * is_of_tmva(label)
        raise IntakeError(
            f"{name}: the label is named {quote(label)}, but 1 means signal. If 1 is "
            f"background in it{of_tmva}, add --signal 0 --background 1, otherwise --signal 1 "
            "--background 0."
        )


def _check_one_class(name: str, column: str, classes: set[str], label: int | None) -> None:
    """Refuses a file of one class whose own label has two, or 0 or 1 for the other one.

    More values, or another one, are something else.
    """
    option, other = ("--signal", "0") if label else ("--background", "1")
    if classes == {other}:
        raise IntakeError(
            f"{name}: {option} says that all its events are of one class, but its column "
            f"{quote(column)} has the label of the other one, {other}. Exchange --signal and "
            "--background, or remove the column."
        )
    if len(classes) == 2:
        first, second = sorted(quote(value) for value in classes)
        raise IntakeError(
            f"{name}: {option} says that all its events are of one class, but its column "
            f"{quote(column)} has {first} and {second}. Give it without --signal and "
            "--background, so that this column is the label, or remove the column."
        )


def _add_notes(table: Table, columns: ColumnMap, counts: Counts) -> None:
    dropped = [name or "(no name)" for name in columns.dropped]
    if dropped:
        names = enumerate_names(list(dict.fromkeys(dropped)))
        counts.notes.append(f"{table.name}: dropped the column{'s' * (len(dropped) > 1)} {names}")
    if columns.by_position:
        counts.notes.append(
            f"{table.name}: its columns have no names and are taken to be in the published order"
        )
    if not table.has_vectors and count_from_zero(columns.names):
        counts.notes.append(f"{table.name}: its names count the jets from 0; jet_0 is our jet_1")


def check_order(
    table: Table,
    sample: NDArray[np.float32] | None,
    features: NDArray[np.float32],
    columns: ColumnMap,
) -> NDArray[np.float32]:
    """Compares masses with momenta, as a run does, as soon as there are enough events.

    Args:
        table: the table.
        sample: what this function returned for the batch before; None for the first.
        features: float32 [N, 28], of the next batch.
        columns: of the table.

    Returns:
        The first events of the table.

    Raises:
        IntakeError: they do not fit together.
    """
    if sample is None:
        sample = features[:SAMPLE_EVENTS]
    elif len(sample) < MIN_EVENTS:
        sample = np.concatenate([sample, features[:SAMPLE_EVENTS]])
    else:
        return sample
    if problem := find_order_problem(sample):
        remedy = problem.remedy
        if columns.by_position:
            remedy = "Name the columns, in the order in which they stand, with --header."
        elif not table.has_vectors:
            remedy = "Correct the names in its header, or give the right ones with --names FILE."
        raise IntakeError(f"{table.name}: {problem.reason}. {remedy}")
    return sample


def _labels(
    name: str, batch: Batch, columns: ColumnMap, label: int | None, values: LabelValues
) -> NDArray[np.float32]:
    if columns.label is None:
        rows = len(batch.columns[columns.features[0]])
        return np.full(rows, label, np.float32)
    hint = (
        "The columns have no names, so the first is taken for the label; if another one is, name "
        "all with --header, such as --header features,label."
        if columns.by_position
        else ""
    )
    return values.encode(name, batch.columns[columns.label], batch.locate, hint)


def _to_events(
    name: str, batch: Batch, columns: ColumnMap, labels: NDArray[np.float32], rules: ValueRules
) -> Events | KeptEvents:
    features, selected = apply_rules(name, batch, columns, labels, rules)
    kept = _kept(name, batch, columns.kept)
    arrays = [np.ascontiguousarray(features.T), labels, *([] if kept is None else [kept])]
    if selected is not None:
        arrays = [array[selected] for array in arrays]
    return Events(*arrays) if kept is None else KeptEvents(*arrays)


def apply_rules(
    name: str, batch: Batch, columns: ColumnMap, labels: NDArray[np.float32], rules: ValueRules
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Converts and checks the features of a batch.

    Returns:
        The features, float32 [28, N], and the events that are complete, bool [N]; None for all.

    Raises:
        IntakeError: a feature is a text that is not a number.
    """
    features = np.empty((NUM_FEATURES, len(labels)), np.float32)
    try:
        for row, index in enumerate(columns.features):
            features[row] = batch.columns[index]
    except (TypeError, ValueError) as error:
        raise _no_number(name, batch, index, columns.names[index]) from error

    def describe(row: int, feature: int) -> str:
        column = columns.label if feature < 0 else columns.features[feature]
        value = "no value" if column is None else batch.cell(row, column)
        return describe_value(batch.locate(row), value)

    return features, rules.apply(features, labels, describe)


def _no_number(name: str, batch: Batch, index: int, column: str) -> IntakeError:
    texts = batch.columns[index]
    row = next((i for i, value in enumerate(texts) if not _is_number(value)), 0)
    place = describe_value(batch.locate(row), batch.cell(row, index))
    return IntakeError(
        f"{name}: {place} as {column}, which is not a number. Write the column as float32."
    )


def _is_number(value: Any) -> bool:
    with suppress(TypeError, ValueError):
        float(value)
        return True
    return False


def _kept(name: str, batch: Batch, kept: Mapping[str, int]) -> NDArray[np.float32] | None:
    """Returns the additional columns, float32 [N, K].

    Raises:
        IntakeError: a value is missing, is not a number, or is not exact in float32.
    """
    if not kept:
        return None
    columns = []
    for column, index in kept.items():
        values = np.asarray(batch.columns[index])
        try:
            exact = values.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise _no_number(name, batch, index, column) from error
        rounded = exact.astype(np.float32)
        is_lost = (exact == np.round(exact)) & (rounded != exact) | ~np.isfinite(rounded)
        if values.dtype != np.float32:  # Larger integers are rounded to float64 already.
            is_lost |= np.abs(exact) >= _MAX_INTEGER
        if is_lost.any():
            row = int(is_lost.argmax())
            reason = "exact as float32" if np.isfinite(exact[row]) else "a finite number"
            raise IntakeError(
                f"{name}: {describe_value(batch.locate(row), batch.cell(row, index))} as {column}, "
                f"which is not {reason}. Correct the value, or leave out --keep {column}."
            )
        columns.append(rounded)
    return np.stack(columns, axis=1)
