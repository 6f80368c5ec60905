"""Mapping of a table's columns to the label and the features, by name or by position."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

import yaml

from components.report.number_format import plural
from formats.column_names import INDEX_NAMES, is_label, known_column, known_columns
from formats.features import COLUMNS, FEATURES, LABEL
from formats.published.record_parser import FEATURES_KEY
from pipeline.intake.intake_error import IntakeError, enumerate_names, quote, shorten
from pipeline.intake.table import Table
from pipeline.yaml_values import load_yaml

_COUNTED = re.compile(r"(\D*)(\d+)")
_FLOAT = re.compile(r"-?(0x)?\d+\.[\da-f]+([dep][-+]?\d+)?(\.\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class ColumnOptions:
    """How columns are found.

    Attributes:
        header: names of the columns of a table without names; None if they were not given.
        names: the name in the input of a column, by our name.
        label: name of the label in the input.
        keep: additional columns to keep.
    """

    header: tuple[str, ...] | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    label: str | None = None
    keep: tuple[str, ...] = ()


class ColumnMap(NamedTuple):
    """The columns of a table that are read.

    Attributes:
        features: index of each of the 28 features, in the published order.
        label: index of the label; None if the file has one class.
        ignored_label: index of a column named like a label in a file of one class, or None.
        kept: index of each additional column that is kept, by name.
        dropped: names of the columns that are not read.
        by_position: whether the table has no names.
        names: of all columns, given or by position.
    """

    features: tuple[int, ...]
    label: int | None
    ignored_label: int | None
    kept: Mapping[str, int]
    dropped: tuple[str, ...]
    by_position: bool
    names: tuple[str, ...]


def parse_header(text: str) -> tuple[str, ...]:
    """Parses ``--header``: names with commas; ``features`` means the 28 in published order.

    >>> names = parse_header("features,label")
    >>> len(names), names[-1]
    (29, 'label')
    """
    names: list[str] = []
    for name in text.split(","):
        names += FEATURES if name.strip() == "features" else [name.strip()]
    return tuple(names)


def read_names(path: Path) -> dict[str, str]:
    """Reads a mapping file: one line ``our_name: name in the input`` per column.

    Raises:
        IntakeError: it is not such a file, or has a name that is not one of our columns.
    """
    try:
        names = load_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        names = None
    if not isinstance(names, dict):
        raise IntakeError(
            f"{path}: is not a mapping file. Write one line 'OURS: THEIRS' per column."
        )
    for ours in names:
        if ours not in COLUMNS:
            near = get_close_matches(str(ours), COLUMNS, 1, 0)
            raise IntakeError(
                f"{path}: {quote(str(ours))} is not one of our columns; the nearest is {near[0]}. "
                "Write one line 'OURS: THEIRS' per column."
            )
    return {ours: str(theirs) for ours, theirs in names.items()}


def map_columns(table: Table, options: ColumnOptions, *, is_labelled: bool) -> ColumnMap:
    """Finds the label, the features and the additional columns of a table.

    Args:
        table: the table.
        options: how columns are found.
        is_labelled: whether the label is a column, and not known for the whole table.

    Raises:
        IntakeError: a column is missing or named twice, or columns without names are not the
            published ones.
    """
    names = table.names
    if names and _are_numbers(table.name, names):
        names = None
    if options.header is not None:
        if names is not None:
            raise IntakeError(
                f"{table.name}: has its own column names ({enumerate_names(names, 3)}). Leave out "
                "--header, or say which names are ours with --names FILE."
            )
        names = _given_names(table, options.header)
    by_position = names is None
    if names is None:
        names = _published_names(table, is_labelled=is_labelled)
    elif numbered := _numbered_features(names):
        names, by_position = numbered, True
    found = _find_columns(table.name, names, options, is_labelled=is_labelled)
    _require_all(table, names, found, is_labelled=is_labelled)
    kept = {n: _find_named(table.name, names, n, "to keep", "--keep") for n in options.keep}
    for name, index in kept.items():
        if index in found.values():
            raise IntakeError(
                f"{table.name}: --keep {name} names the label or a feature, which is kept in any "
                "case. Leave it out."
            )
        if name in (FEATURES_KEY, LABEL):
            raise IntakeError(
                f"{table.name}: --keep {name} would replace the key {name} of the records. Rename "
                "the column in the input."
            )
    used = {*found.values(), *kept.values()}
    dropped = tuple(name for index, name in enumerate(names) if index not in used)
    label = found.get(LABEL) if is_labelled else None
    ignored = None if is_labelled else _find_label(names, used)
    features = tuple(found[name] for name in FEATURES)
    return ColumnMap(features, label, ignored, kept, dropped, by_position, names)


def _find_label(names: Sequence[str], used: Collection[int]) -> int | None:
    """Finds the first column that is named like a label and not used."""
    others = (index for index in range(len(names)) if index not in used)
    return next((i for i in others if known_column(names[i]) == LABEL), None)


def _are_numbers(source: str, names: Sequence[str]) -> bool:
    """Returns whether the names only count the columns, as pandas and Spark number them.

    Raises:
        IntakeError: they are the numbers of an event.
    """
    if _are_counted([name for name in names if not _is_index(name)]):
        return True
    floats = [name for name in names if _FLOAT.fullmatch(name)]
    if len(floats) > len(names) // 2:
        raise IntakeError(
            f"{source}: its column names are the numbers of an event, such as {quote(floats[0])}: "
            "the first row was taken for a header. Write numbers in decimal, with E in exponents, "
            "and with pandas read the original with `header=None`."
        )
    return False


def _numbered_features(names: tuple[str, ...]) -> tuple[str, ...] | None:
    """Names the features if they are only numbered, beside a label: ``response,x1,...,x28``."""
    others = [name for name in names if not _is_index(name) and not is_label(name)]
    if len(others) != len(FEATURES) or not _are_counted(others):
        return None
    features = dict(zip(others, FEATURES, strict=True))
    return tuple(features.get(name, name) for name in names)


def _are_counted(names: Sequence[str]) -> bool:
    """Returns whether names differ only in a number that increases by one."""
    counts = [_COUNTED.fullmatch(name) for name in names]
    if not all(counts) or len({match[1] for match in counts if match}) > 1:
        return False
    numbers = [int(match[2]) for match in counts if match]
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _is_index(name: str) -> bool:
    return name.lower() in INDEX_NAMES


def _given_names(table: Table, header: tuple[str, ...]) -> tuple[str, ...]:
    if len(header) != table.width:
        raise IntakeError(
            f"{table.name}: has {table.width} columns, and --header names {len(header)}. "
            "Name all columns in their order; the word features means the 28."
        )
    return header


def _published_names(table: Table, *, is_labelled: bool) -> tuple[str, ...]:
    """Names the columns of a table without names, if they can only be the published ones."""
    if table.guess:
        raise IntakeError(f"{table.name}: {table.guess}")
    columns = COLUMNS if is_labelled else FEATURES
    index = ("index",) if table.names and _is_index(table.names[0]) else ()
    if table.width == len(columns) + len(index):
        return (*index, *columns)
    if table.width == len(COLUMNS):
        return COLUMNS
    if is_labelled and table.width == len(FEATURES):
        remedy = (
            "If it has no label, convert files of one class with --signal FILE --background FILE"
        )
    elif table.width <= len(FEATURES):
        remedy = "Give a table with all of them"
    else:
        remedy = (
            "Name the columns in their order with --header, such as --header "
            "label,features,weight, where features means the 28"
        )
    expected = f"the label, then the {len(FEATURES)} features" if is_labelled else "the features"
    raise IntakeError(
        f"{table.name}: has {plural(table.width, 'column')} without names, not {len(columns)} "
        f"({expected}). {remedy}."
    )


def _find_columns(
    source: str, names: Sequence[str], options: ColumnOptions, *, is_labelled: bool
) -> dict[str, int]:
    explicit, given_by = dict(options.names), dict.fromkeys(options.names, "--names")
    if options.label is not None:
        explicit[LABEL], given_by[LABEL] = options.label, "--label"
    found = {
        ours: _find_named(source, names, theirs, f"for {ours}", given_by[ours])
        for ours, theirs in explicit.items()
    }
    taken = set(found.values())
    if len(taken) < len(found):
        twice = next(name for name in explicit.values() if [*explicit.values()].count(name) > 1)
        columns = [ours for ours, theirs in explicit.items() if theirs == twice]
        given = " or ".join(dict.fromkeys(given_by[ours] for ours in columns))
        raise IntakeError(
            f"{source}: {quote(twice)} is given for {' and for '.join(columns)}. Correct {given}."
        )
    plain = _without_prefix(names)
    ours_by_name = dict(zip(plain, (ours or "" for ours in known_columns(plain)), strict=True))
    if LABEL not in ours_by_name.values():  # Otherwise `label_id` may be another form of `label`.
        ours_by_name = {n: ours or LABEL * is_label(n) for n, ours in ours_by_name.items()}
    for index, name in enumerate(plain):
        ours = ours_by_name[name]
        is_unused = ours == LABEL and not is_labelled
        if not ours or is_unused or index in taken or ours in explicit:
            continue
        if ours in found:
            first = names[found[ours]]
            if first == name:
                raise IntakeError(f"{source}: has two columns named {quote(name)}. Rename one.")
            option = "--label NAME" if ours == LABEL else "--names FILE"
            raise IntakeError(
                f"{source}: {shorten(first)} and {shorten(name)} are both names of {ours}. "
                f"Choose with {option}."
            )
        found[ours] = index
    return found


def _without_prefix(names: Sequence[str]) -> Sequence[str]:
    """Removes a common prefix of the features' names.

    >>> _without_prefix([f"event.{name}" for name in FEATURES]) == list(FEATURES)
    True
    """
    first = FEATURES[0]
    prefixes = [name[: -len(first)] for name in names if name.lower().endswith(first)]
    if len(prefixes) != 1 or not all(prefixes[0] + name in names for name in FEATURES[1:]):
        return names
    return [name.removeprefix(prefixes[0]) for name in names]


def _require_all(
    table: Table, names: Sequence[str], found: Mapping[str, int], *, is_labelled: bool
) -> None:
    source = table.name
    missing = [name for name in FEATURES if name not in found]
    others = [n or "(no name)" for i, n in enumerate(names) if i not in found.values()]
    others = list(dict.fromkeys(others))
    shown = f"; unused columns: {enumerate_names(others)}" if others else ""
    if missing and table.guess:
        raise IntakeError(f"{source}: {table.guess}")
    if len(names) == 1:
        remedy = "Separate the columns by comma, semicolon, tab, | or blanks"
        if "," in names[0]:
            remedy = "Remove the quotes around the lines"
        raise IntakeError(f"{source}: has one column, {quote(names[0])}. {remedy}.")
    if missing:
        verb = "are" if missing[1:] else "is"
        remedy = "Give a table with all of them, one column each"
        if len(others) >= len(missing):
            remedy = (
                "If they have other names, give them with --names FILE, one line 'OURS: THEIRS' "
                "per column"
            )
        raise IntakeError(
            f"{source}: {len(missing)} of the {len(FEATURES)} features {verb} missing "
            f"({enumerate_names(missing)}){shown}. {remedy}."
        )
    if is_labelled and LABEL not in found:
        if table.unlabelled:
            raise IntakeError(f"{source}: {table.unlabelled}")
        noticed = "".join(f"; {note.removeprefix(source).lstrip(': ')}" for note in table.notes)
        raise IntakeError(
            f"{source}: no column is named as the label{shown}{noticed}. Name it with --label NAME "
            "(for a matrix, an array or an .npy file), or convert files of one class with --signal "
            "FILE --background FILE."
        )


def _find_named(source: str, names: Sequence[str], name: str, purpose: str, option: str) -> int:
    """Returns the index of a column that an option names as one of ours or as one to keep.

    Raises:
        IntakeError: there is no such column, or more than one.
    """
    if name not in names:
        near = get_close_matches(name, names, 3, 0.5) or names
        raise IntakeError(
            f"{source}: has no column {quote(name)} {purpose}; it has {enumerate_names(near)}. "
            f"Correct {option}."
        )
    if (count := names.count(name)) > 1:
        raise IntakeError(
            f"{source}: has {count} columns named {quote(name)}, so {option} is ambiguous. Rename "
            "all but one in the input."
        )
    return names.index(name)
