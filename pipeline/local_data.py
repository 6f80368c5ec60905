"""Contents of a local folder of shards: what a run reads, and what it leaves out."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from components.report.number_format import plural
from formats.errors import DataRefusedError, UserError
from formats.names import TEST_SPLIT
from formats.published.manifest import MANIFEST
from formats.published.shards import (
    ShardNames,
    classify_names,
    is_shard,
    looks_like_data,
    missing_parts,
)
from formats.text import first_names
from pipeline.config import WITH_TEST
from pipeline.file_access import describe_access
from pipeline.intake.intake_error import encodable

TRAINING, VALIDATION, TEST = "training", "validation", TEST_SPLIT

LAYOUTS = {
    "folders": (TRAINING, VALIDATION),
    WITH_TEST: (TRAINING, VALIDATION, TEST),
    "single": ("",),
}
"""The folders that are read, by layout; "" is the root."""

MAX_ENTRIES = 10_000
"""Maximum number of entries of a folder that are searched for data that is not read."""

SPLIT_NAMES = {
    TRAINING: ("training", "train", "trn", "trainval"),
    VALIDATION: ("validation", "valid", "val", TEST, "testing", "eval", "dev", "holdout"),
}
"""Names in use for the folder of each split, in lower case."""


def names_of_splits(names: Iterable[str]) -> list[list[str]]:
    """Returns those names that mean the training set, and those that mean the validation set.

    Args:
        names: of files and folders, or paths, any part of which may mean a split.

    >>> names_of_splits(["train.csv.gz", "Test", "split=test/a", "higgs_testing.csv", "x.csv"])
    [['train.csv.gz'], ['Test', 'split=test/a', 'higgs_testing.csv']]
    """
    words = {name: split_words(name) for name in names}
    return [
        [name for name, found in words.items() if found & {*SPLIT_NAMES[split]}]
        for split in (TRAINING, VALIDATION)
    ]


def split_words(name: str) -> set[str]:
    """Returns the words in a name or path that mean a split; suffixes do not count.

    >>> split_words("higgs-Train_1.test")
    {'train'}
    """
    stems = [part.lower().partition(".")[0] for part in PurePosixPath(name).parts]
    words = {word for stem in stems for word in re.split(r"[^a-z]+", stem)}
    return {word for group in SPLIT_NAMES.values() for word in group if word in words}


class NoShardsError(UserError, ValueError):
    """A folder has no shards where they are expected; the message says what it has instead."""

    exit_code = 4


@dataclass(frozen=True)
class LocalData:
    """The shards that a run reads, and other data beside them.

    Attributes:
        shards: the files of each folder, by the folder's name below the root; "" is the root.
        has_unread_test: whether there is a folder ``test`` beside the splits that is not read.
        unread: what looks like data and is not read, relative to the root.
    """

    root: Path
    shards: dict[str, list[Path]]
    has_unread_test: bool
    unread: list[str]

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yields what is read and what is not, each as a heading and a text."""
        parts = (
            f"{plural(len(files), 'file')}, {_megabytes(files)}" + (f" in {name}/" if name else "")
            for name, files in self.shards.items()
        )
        yield "data", "; ".join(parts)
        if TEST in self.shards:
            yield "test set", "for the figure to publish; no gate depends on it"
        if self.has_unread_test:
            yield (
                "test set",
                f"{self.root / TEST} is not read; `higgs evaluate` can evaluate a model on it",
            )
        # A set of parts may be spread over the folders.
        names = [file.name for files in self.shards.values() for file in files]
        if missing := missing_parts(names):
            yield "missing", f"{first_names(missing)}, judging by the other shards"
        if self.unread:
            yield "not read", f"{first_names(self.unread)} in {self.root}"


def data_layout(root: Path) -> str:
    """Returns the layout of a local folder, a key of ``LAYOUTS``."""
    if not (root / TRAINING).is_dir():
        return "single"
    has_test = (root / VALIDATION).is_dir() and bool(_list_folder(root / TEST).shards)
    return WITH_TEST if has_test else "folders"


def find_data(root: Path, layout: str) -> LocalData:
    """Finds the shards of a data set, and other data beside them.

    Args:
        root: the folder ``data_root``.
        layout: a key of ``LAYOUTS``.

    Raises:
        NoShardsError: there are no shards in one of the folders.
        DataRefusedError: a shard is there twice, plain and gzip, or is a folder.
    """
    folders = LAYOUTS[layout]
    names = {folder: _list_folder(root / folder) for folder in folders}
    for folder, content in names.items():
        if not content.shards:
            raise NoShardsError(_nothing_to_read(root, folder))
        _refuse_twins(root / folder, content)
        _refuse_directories(root / folder, content)
        _refuse_undecodable(root / folder, content)
    unread = [
        f"{folder}/{name}" if folder else name
        for folder, content in names.items()
        for name in (*content.unread, *_folders_with_data(root / folder, skip=folders))
    ]
    if layout != "single":
        beside = _list_folder(root)
        unread += [*beside.shards, *beside.unread, *_folders_with_data(root, skip=(*folders, TEST))]
    return LocalData(
        root,
        {name: [root / name / shard for shard in names[name].shards] for name in names},
        layout == "folders" and (root / TEST).is_dir(),
        unread,
    )


def refuse_named_splits(
    data: LocalData,
    consequence: str = "would be split again by a hash",
    remedy: str = f"Move the shards into {TRAINING}/ and {VALIDATION}/",
) -> None:
    """Refuses one folder of shards whose names mean two splits, which would be mixed.

    Args:
        data: the folder.
        consequence: of reading it, as the predicate of a sentence.
        remedy: what to do about it.

    Raises:
        DataRefusedError: they do.
    """
    names = [path.name for paths in data.shards.values() for path in paths]
    training, validation = names_of_splits(names)
    if training and validation:
        raise DataRefusedError(
            f"{data.root} has names of a training and a validation set, such as "
            f"{training[0]} and {validation[0]}, and {consequence}. {remedy}"
        )


def _list_folder(folder: Path) -> ShardNames:
    try:
        return classify_names(_file_names(folder))
    except (FileNotFoundError, NotADirectoryError):
        return ShardNames()
    except OSError as error:
        raise NoShardsError(
            f"cannot read {folder} ({error.strerror}: {describe_access(folder)}); ask for the "
            "permission, or copy the data"
        ) from None


def _file_names(folder: Path) -> Iterator[str]:
    """Yields the names of files, and of folders that are named like shards."""
    for path in folder.iterdir():
        if not path.is_dir() or ".tfrec" in path.name.lower():
            yield path.name


def _refuse_twins(folder: Path, content: ShardNames) -> None:
    if content.twins:
        first, second = content.twins[0]
        others = f" (and {len(content.twins) - 1} more pairs)" if content.twins[1:] else ""
        raise DataRefusedError(
            f"{folder} has {first} beside {second}{others}: the same events would be read twice. "
            "Remove one of each pair."
        )


def _refuse_undecodable(folder: Path, content: ShardNames) -> None:
    """Refuses names with bytes that are not UTF-8, which the metadata cannot hold."""
    for name in content.shards:
        shown = encodable(name)
        if shown != name:
            raise DataRefusedError(f"{folder}: the name {shown} is not UTF-8; rename the file")


def _refuse_directories(folder: Path, content: ShardNames) -> None:
    for name in content.shards:
        if (folder / name).is_dir():
            parts = [path.name for path in islice((folder / name).iterdir(), MAX_ENTRIES)]
            parts = sorted(part for part in parts if looks_like_data(part))
            files = f" with {first_names(parts)}" if parts else ""
            raise DataRefusedError(
                f"{folder / name} is a folder{files}, not a shard, as Spark writes them. Put its "
                f"files into {folder}, with names that end in .tfrecord, and remove the folder."
            )


def _folders_with_data(folder: Path, skip: Iterable[str]) -> Iterator[str]:
    """Yields the subfolders that contain files that look like data, with their number."""
    for path in sorted(islice(_subfolders(folder), MAX_ENTRIES)):
        if path.name in skip or ".tfrec" in path.name.lower():
            continue
        count = sum(map(looks_like_data, _names_below(path)))
        if count:
            yield f"{path.name}/ ({plural(count, 'file')})"


def _subfolders(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.name[0] not in "._" and path.is_dir())


def _names_below(folder: Path) -> Iterator[str]:
    # It leaves out the folders of other users.
    return (path.name for path in islice(folder.rglob("*"), MAX_ENTRIES))


def _nothing_to_read(root: Path, folder: str) -> str:
    """Describes what is there instead of shards, and what to do about it."""
    if not root.exists():
        return (
            f"{root} does not exist. Make toy events with `higgs generate --events 200000 --out "
            f"{root}`, or shards of your own data with `higgs convert`"
        )
    if not root.is_dir():
        remedy = "Give the folder that contains the shards"
        if not is_shard(root):
            remedy = f"Make shards from it with `higgs convert {root} --out NEW_FOLDER`"
        return f"{root} is a file. {remedy}"
    expected = f"no TFRecord shard (*.tfrecord) in {root / folder}"
    place = root / folder
    if not place.is_dir():
        expected, place = f"no folder {folder}/ in {root}", root
    content = sorted(path.name + "/" * path.is_dir() for path in _visible(place))
    if not content:
        hidden = sorted(path.name for path in islice(place.iterdir(), MAX_ENTRIES))
        found = f"only {first_names(hidden)}, which is not read" if hidden else "which is empty"
        return f"{expected}, {found}. {_layout(root)}"
    return f"{expected}, only {first_names(content)}. {_remedy(root, place, content)}"


def _remedy(root: Path, place: Path, content: list[str]) -> str:
    tables = [name for name in content if looks_like_data(name)]
    parts = [name for name in tables if "." not in name]
    if parts:
        return (
            f"If {parts[0]} is a TFRecord file, give it a name that ends in .tfrecord; "
            "`higgs inspect` shows whether it is one"
        )
    folders = sorted(_subfolders(root)) if place == root else []
    with_shards = [path for path in folders if any(path.glob("*.tfrecord*"))]
    if tables and not with_shards:
        table = place if tables[1:] else place / tables[0]
        return f"Make shards from it with `higgs convert {table} --out NEW_FOLDER`"
    below = [name for name in _names_below(place) if looks_like_data(name)]
    if below and not any(".tfrec" in name.lower() for name in below):
        return f"Make shards from it with `higgs convert {place} --out NEW_FOLDER`"
    renames = [f"{name}/ to {split}/" for name, split in _renames(root)]
    if renames:
        return f"Rename {' and '.join(renames)}, or give one of the folders"
    if place == root and all((root / name).is_dir() for name in (TRAINING, VALIDATION)):
        return f"Give one of its folders, such as {root / VALIDATION}"
    if (root / TRAINING).is_dir() and place == root:
        return f"Give {root / TRAINING} instead; a run splits it by a hash of each event"
    data_sets = [path for path in sorted(_subfolders(root)) if (path / TRAINING).is_dir()]
    data_sets += with_shards
    return f"Give {data_sets[0]} instead" if data_sets else _layout(root)


def _renames(root: Path) -> Iterator[tuple[str, str]]:
    """Yields folders whose names mean a split, each with the name that it should have."""
    folders = [path.name for path in _visible(root) if path.is_dir()]
    for split, synonyms in SPLIT_NAMES.items():
        similar = [name for name in folders if name.lower() in synonyms]
        if similar and split not in folders:
            yield min(similar, key=lambda name: synonyms.index(name.lower())), split


def _layout(root: Path) -> str:
    return (
        f"{root} must contain {TRAINING}/ and {VALIDATION}/ with shards, or shards themselves, "
        "whose names do not start with . or _; `higgs convert` makes them, and `higgs generate "
        "--out NEW_FOLDER` makes toy events"
    )


def _visible(folder: Path) -> Iterator[Path]:
    paths = islice(folder.iterdir(), MAX_ENTRIES)
    return (path for path in paths if path.name[0] not in "._" and path.name != MANIFEST)


def _megabytes(files: list[Path]) -> str:
    return f"{sum(file.stat().st_size for file in files if file.exists()) / 1e6:,.1f} MB"
