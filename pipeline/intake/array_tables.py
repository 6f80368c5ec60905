"""Tables of arrays: one matrix, a matrix and labels, named columns, or a structured array."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from formats.column_names import is_label, known_columns
from formats.features import COLUMNS, FEATURES, LABEL, NUM_FEATURES
from pipeline.intake.input_members import Member
from pipeline.intake.intake_error import IntakeError, enumerate_names, quote, shorten
from pipeline.intake.table import Table, array_batches, find_columns
from pipeline.local_data import split_words

_UNNAMED = re.compile(r"arr_\d+|the array")  # `numpy.savez` counts arrays without names.
_MATRIX_NAMES = ("x", "features", "data", "inputs", "samples")


class ArrayChoice(NamedTuple):
    """Names of the arrays to read, if given.

    Attributes:
        features: the array of 28 columns, a table, or the group of the columns.
        label: the array of labels, or the file of an array.
        is_labelled: whether labels are read, so that messages advise how to name them.
    """

    features: str | None = None
    label: str | None = None
    is_labelled: bool = True


def make_table(
    member: Member, arrays: Mapping[str, Any], unread: Mapping[str, str], choice: ArrayChoice
) -> Table:
    """Makes a table of the arrays of a file.

    Args:
        member: the file.
        arrays: those that can be read, by name.
        unread: why others cannot be read, by name.
        choice: names of the arrays to read.

    Raises:
        IntakeError: the options name one that cannot be read, or there are no events.
    """
    reasons = [f"{shorten(name)} holds {reason}" for name, reason in unread.items()]
    beside = " and ".join(reasons[:2]) + f" and {len(reasons) - 2} more" * bool(reasons[2:])
    if not unread:
        return _arrays_table(member, arrays, choice)
    if not arrays or {choice.features, choice.label} & {*unread}:
        raise IntakeError(f"{member.name}: {beside}. Write plain arrays of numbers.")
    try:
        table = _arrays_table(member, arrays, choice)
    except IntakeError as error:
        raise IntakeError(f"{error} Left out: {beside}.") from error
    return replace(table, notes=[*table.notes, f"{member.name}: left out: {beside}"])


def _arrays_table(member: Member, arrays: Mapping[str, Any], choice: ArrayChoice) -> Table:
    group = f"{choice.features}/"
    named = {n: a for n, a in arrays.items() if n == choice.features or n.startswith(group)}
    tables = [n for n, array in (named or arrays).items() if array.dtype.names]
    if len(tables) > 1:
        raise _several(member, "tables", tables, "--features TABLE")
    if tables:
        vector = None if named else choice.features
        return _structured_table(member, arrays[tables[0]], vector, _others(member, arrays, tables))
    shapes = {n: array.shape for n, array in (named or arrays).items()}
    columns = {n: arrays[n] for n, shape in shapes.items() if shape and shape[1:] in ((), (1,))}
    has_matrix = any(len(shape) == 2 and shape[1] >= NUM_FEATURES for shape in shapes.values())
    is_table = len({len(array) for array in columns.values()}) == 1
    if len(columns) < NUM_FEATURES or (has_matrix and not is_table):
        if named and choice.features not in arrays:
            choice = choice._replace(features=None)
            others = _others(member, arrays, named)
            table = _matrix_table(member, named, choice)
            return replace(table, notes=[*others, *table.notes])
        return _matrix_table(member, arrays, choice)
    vectors = {_last(name): array for name, array in columns.items()}
    if len(vectors) < len(columns):
        repeated = next(name for name in vectors if [*map(_last, columns)].count(name) > 1)
        places = [name for name in columns if _last(name) == repeated]
        raise _several(member, f"columns {repeated}", places, "--features GROUP")
    return _vectors_table(member, vectors, _others(member, arrays, columns))


def _several(member: Member, kind: str, names: Sequence[str], option: str) -> IntakeError:
    return IntakeError(
        f"{member.name}: holds several {kind}: {enumerate_names(names)}. Choose with {option}, one "
        "per command."
    )


def _others(
    member: Member, arrays: Mapping[str, Any], read: Iterable[str], reason: str = ""
) -> list[str]:
    """Returns a note on the arrays that are not read, if there are any."""
    others = [name for name in arrays if name not in {*read}]
    return [f"{member.name}: left out {enumerate_names(others)}{reason}"] if others else []


def _plain(member: Member, name: str, values: Any, kind: np.dtype[Any] | None = None) -> Any:
    """Returns numbers as they are, and the names of an enumeration's values; texts may be numbers.

    Raises:
        IntakeError: they are complex numbers, dates or raw bytes.
    """
    kind = kind or values.dtype
    metadata: Mapping[str, Any] = kind.metadata or {}
    if enumeration := metadata.get("enum"):  # As h5py stores it.
        names = {number: text for text, number in enumeration.items()}
        return np.array([names.get(value, value) for value in values.tolist()], object)
    if kind.kind not in "biufSUO":
        raise IntakeError(f"{member.name}: {name} holds {kind}, not numbers. Save it as float32.")
    return values


def _structured_table(member: Member, array: Any, chosen: str | None, notes: list[str]) -> Table:
    fields = array.dtype.names
    vectors = [name for name in fields if array.dtype[name].shape == (NUM_FEATURES,)]
    columns = find_columns(member.name, fields, vectors, chosen)

    def column(index: int, part: slice) -> Any:
        if index >= len(columns.scalars):
            vector = str(columns.vector)
            return _plain(member, vector, array[part][vector][:, index - len(columns.scalars)])
        name = columns.scalars[index]
        return _plain(member, name, array[part][name], array.dtype[name])

    read, is_vector = array_batches(column, len(array)), columns.vector is not None
    return Table(
        member.name, member.description, columns.names, read, notes, columns.guess, is_vector
    )


def _vectors_table(member: Member, vectors: Mapping[str, Any], notes: list[str]) -> Table:
    names = tuple(vectors)
    rows = {name: len(vectors[name]) for name in names}
    if len(set(rows.values())) > 1:
        shortest, longest = min(rows, key=rows.__getitem__), max(rows, key=rows.__getitem__)
        raise IntakeError(
            f"{member.name}: {shortest} has {rows[shortest]} rows and {longest} {rows[longest]}. "
            "Write columns of the same length."
        )

    def column(index: int, part: slice) -> Any:
        values = vectors[names[index]]
        return _plain(member, names[index], values[part].reshape(-1))

    read = array_batches(column, rows[names[0]])
    return Table(member.name, member.description, names, read, notes)


def _matrix_table(member: Member, arrays: Mapping[str, Any], choice: ArrayChoice) -> Table:
    key = _find_matrix(member, arrays, choice)
    matrix = arrays[key]
    # `y_test` does not belong to `x_val`, even if both have as many rows.
    if split := split_words(key):
        fitting = [n for n in arrays if split_words(n) in (set(), split) or n == choice.label]
        arrays = {name: arrays[name] for name in fitting}
    rows, width = matrix.shape
    source, given = _given_names(arrays, matrix)
    if width != NUM_FEATURES:
        if rows in (NUM_FEATURES, len(COLUMNS)) and width != len(COLUMNS):
            raise IntakeError(
                f"{member.name}: {key} has the shape [{rows}, {width}], which is one column per "
                "event. Write its transpose, with one row per event."
            )
        read = array_batches(lambda index, part: _plain(member, key, matrix[part, index]), rows)
        notes = _others(member, arrays, [key, source])
        return Table(member.name, member.description, given, read, notes, unnamed=width)
    vectors = _find_vectors(arrays, choice, key, rows)
    if choice.label is not None and choice.label not in vectors:
        raise _no_labels(member, arrays, choice.label, rows)

    def column(index: int, part: slice) -> Any:
        if index < NUM_FEATURES:
            return _plain(member, key, matrix[part, index])
        name, values = list(vectors.items())[index - NUM_FEATURES]
        return _plain(member, name, values[part].reshape(-1))

    read, names = array_batches(column, rows), (*(given or FEATURES), *vectors)
    fitting = [name for name in arrays if any(arrays[name] is each for each in vectors.values())]
    notes = _others(member, arrays, [key, source, *fitting], f" (not of these {rows} rows)")
    wide = (name for name in arrays if name != key and is_label(_last(name)))
    unlabelled = next(filter(None, (_describe_classes(n, arrays[n], rows) for n in wide)), "")
    return Table(
        member.name,
        member.description,
        names,
        read,
        notes,
        has_vectors=given is None,
        unlabelled=unlabelled,
    )


def _given_names(arrays: Mapping[str, Any], matrix: Any) -> tuple[str, tuple[str, ...] | None]:
    """Finds names of a matrix's columns: an array of as many texts, or such an attribute in HDF5.

    The attribute is one of the matrix, its group or the file.

    They are names if one of them is that of a feature.

    Returns:
        The array's name, if it is one, and the names, if there are any.
    """
    places = (matrix, matrix.parent, matrix.file) if hasattr(matrix, "attrs") else ()
    attributes = (("", value) for place in places for value in place.attrs.values())
    for source, texts in (*arrays.items(), *attributes):
        if getattr(texts, "shape", None) == matrix.shape[1:] and texts.dtype.kind in "SUO":
            names = [t.decode(errors="replace") if isinstance(t, bytes) else str(t) for t in texts]
            if not {*known_columns(names)}.isdisjoint(FEATURES):
                return source, tuple(names)
    return "", None


def _find_matrix(member: Member, arrays: Mapping[str, Any], choice: ArrayChoice) -> str:
    if member.kind == "NumPy array":
        _check_matrix(member.name, arrays["the array"].shape, choice)
    shapes = enumerate_names([f"{name} {list(a.shape)}" for name, a in arrays.items()]) or "nothing"
    if choice.features is not None:
        if choice.features not in arrays or arrays[choice.features].ndim != 2:
            raise IntakeError(
                f"{member.name}: has no matrix '{choice.features}'; it holds {shapes}. "
                "Name one of them with --features."
            )
        return choice.features
    matrices = [name for name, array in arrays.items() if array.ndim == 2 and array.shape[1] > 1]
    complete = [name for name in matrices if arrays[name].shape[1] >= NUM_FEATURES]
    named = [name for name in complete or matrices if _last(name).lower() in _MATRIX_NAMES]
    candidates = named if len(named) == 1 else complete or matrices
    if len(candidates) == 1:
        return candidates[0]
    reason = "several matrices" if candidates else "no matrix of events"
    remedy = f"Write all features as one matrix of {NUM_FEATURES} columns"
    if complete:
        remedy = _how_to_choose(member.name, complete, choice)
    raise IntakeError(f"{member.name}: holds {reason}: {shapes}. {remedy}.")


def _check_matrix(name: str, shape: tuple[int, ...], choice: ArrayChoice) -> None:
    """Refuses the only array of a file if it is not a matrix."""
    if shape in ((NUM_FEATURES,), (len(COLUMNS),)):
        raise IntakeError(f"{name}: holds one event. Write all events as the rows of one matrix.")
    if len(shape) != 2:
        labels = "; if these are its labels, add them with --label FILE" * choice.is_labelled
        raise IntakeError(
            f"{name}: holds an array of shape {list(shape)}, not a matrix of events. Name the "
            f"matrix of {NUM_FEATURES} columns as the input{labels}."
        )


def _how_to_choose(file: str, matrices: Sequence[str], choice: ArrayChoice) -> str:
    remedy = "Name one with --features"
    if not choice.is_labelled:
        return remedy
    remedy += " and its labels with --label"
    # The signal first, as far as names tell.
    first, second, *_ = sorted(matrices, key=lambda name: "sig" not in name.lower())
    if split_words(first):
        return remedy
    classes = f"--signal {file}:{first} --background {file}:{second}"
    return f"{remedy}; if each holds one class, such as with {classes}"


def _find_vectors(
    arrays: Mapping[str, Any], choice: ArrayChoice, matrix: str, rows: int
) -> dict[str, Any]:
    """Finds the arrays with one value per row of the matrix, by name.

    Without ``--label``, the labels are the only one with a known name of the label, or the only
    one, if it has no name; with another name it may be a weight.
    """
    fitting = {
        name: array
        for name, array in arrays.items()
        if name != matrix and (array.shape in ((rows,), (rows, 1)))
    }
    if choice.label is not None:
        return fitting
    named = [name for name in fitting if is_label(_last(name))]
    unnamed = [name for name in fitting if _UNNAMED.fullmatch(name)]
    chosen = named or (unnamed if len(fitting) == 1 else [])
    labels = chosen[0] if len(chosen) == 1 else None
    return {LABEL if name == labels else name: array for name, array in fitting.items()}


def _describe_classes(name: str, array: Any, rows: int) -> str:
    """Explains why labels with one column per class are not read; empty if they have not."""
    if array.ndim != 2 or len(array) != rows or array.shape[1] < 2:
        return ""
    return (
        f"the labels {shorten(name)} have the shape {list(array.shape)}, one column per class. "
        f"Write one value per event, such as {shorten(_last(name))}[:, 1] if the second column is "
        "1 for signal."
    )


def _no_labels(member: Member, arrays: Mapping[str, Any], label: str, rows: int) -> IntakeError:
    if label in arrays and (problem := _describe_classes(label, arrays[label], rows)):
        return IntakeError(f"{member.name}: {problem}")
    found = enumerate_names([f"{name} {list(a.shape)}" for name, a in arrays.items()])
    return IntakeError(
        f"{member.name}: has no labels {quote(label)} for its {rows} rows, only {found}. Name the "
        "labels with --label (an array of the file, or an .npy file), or convert files of one "
        "class with --signal FILE --background FILE."
    )


def _last(name: str) -> str:
    return name.rsplit("/", 1)[-1]
