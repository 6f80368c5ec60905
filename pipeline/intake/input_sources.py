"""Inputs named on the command line: files, folders, patterns, standard input."""

import glob
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from formats.file_kinds import find_container
from formats.published.shards import MANIFEST, looks_like_data, missing_parts
from pipeline.intake.array_readers import matrix_names
from pipeline.intake.byte_streams import DECODERS, UNPACKING_ERRORS, decompress
from pipeline.intake.input_members import check_one_split, is_document, is_visible
from pipeline.intake.intake_error import InputNotFoundError, IntakeError, encodable, enumerate_names
from pipeline.local_data import TEST, TRAINING, VALIDATION, names_of_splits, split_words
from pipeline.paths import PathError, local_path

STDIN = "-"
_TEST_WORDS = (TEST, "testing", "holdout")
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
_TABLE_FORMATS = {
    "/_delta_log/": "a Delta Lake table",
    "/.hoodie/": "a Hudi table",
    ".metadata.json": "an Iceberg table",
}
_EMPTY_COMPRESSED_BYTES = 64
_LEFTOVERS = (".bak", ".tmp", ".part", ".partial", ".crdownload", ".old", ".orig", "~", ".swp")


@dataclass(frozen=True)
class Source:
    """One input.

    Attributes:
        name: as it is shown.
        path: a file, or a folder of Parquet files; None is standard input.
        tree: name of a ROOT tree, if it was given.
        label: 1 or 0, if the whole input is of one class.
        uri: the file's address, if it is in an object store; there is no path then.
        files: the files of a folder of Parquet files.
    """

    name: str
    path: Path | None
    tree: str | None = None
    label: int | None = None
    uri: str = ""
    files: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        """Escapes bytes of the name that are not UTF-8, which no output can hold."""
        object.__setattr__(self, "name", encodable(self.name))

    @property
    def is_regular(self) -> bool:
        """Whether the input is a file on disk, which can be opened again."""
        return self.path is not None and self.path.is_file()

    @property
    def bytes(self) -> int | None:
        """Size of the file, or of all files of a folder; None if it is unknown."""
        files = [self.path] if self.path and self.is_regular else self.files
        return sum(file.stat().st_size for file in files) if files else None


def find_sources(
    texts: Sequence[str], *, are_joined: bool = True
) -> tuple[list[Source], list[str]]:
    """Finds the inputs that arguments name.

    Args:
        texts: files, folders, patterns or ``-``; ROOT files with ``:TREE``.
        are_joined: whether the events of a folder come together, so that it must not hold a
            training and a validation set.

    Returns:
        The inputs in order, and notes on files of folders that are left out.

    Raises:
        IntakeError: one does not exist, is named twice, or is there in two forms.
    """
    notes: list[str] = []
    sources = [source for text in texts for source in _find(text, notes, are_joined)]
    seen: dict[tuple[object, ...], str] = {}
    for source in sources:
        status = source.path.stat() if source.path else None
        key = (status.st_dev, status.st_ino, source.tree) if status else ()
        if key in seen:
            is_repeated = source.name == seen[key]
            problem = "is given twice" if is_repeated else f"and {seen[key]} are the same file"
            raise IntakeError(f"{source.name} {problem}. Name each input once.")
        seen[key] = source.name
    return sources, notes


def find_splits(text: str) -> list[list[str]] | None:
    """Finds the parts of an input that is already split.

    They are folders such as ``train/``, files such as ``higgs_train.csv``, or arrays of one file
    such as ``x_train``.

    Returns:
        The parts of the training set, of the validation set and, if the input has all three, of
        the test set; None if it does not have the first two.

    Raises:
        IntakeError: names mean more than one split, or there are other data beside the splits.
    """
    try:
        root = local_path(text)
    except PathError:
        return None
    if root.is_file():
        splits = _group(matrix_names(root))
        # With several matrices per split it is unknown which of them are the features.
        is_clear = all(len(names) == 1 for names in splits) and not _are_ambiguous(splits)
        return [[f"{text}:{name}"] for name, *_ in splits] if splits and is_clear else None
    if not root.is_dir():
        return None
    paths = sorted(root.iterdir())
    present = [path.name for path in paths if path.is_dir() or looks_like_data(path.name)]
    splits = _group(present)
    if _are_ambiguous(splits):
        names = [*dict.fromkeys(chain(*splits))]
        raise IntakeError(
            f"{root}: has {enumerate_names(names)}, whose names do not identify one "
            f"{TRAINING}, one {VALIDATION} and one {TEST} set. Name the folders or files of events "
            "that belong together, or rename them."
        )
    if splits:
        _check_beside(root, present, splits)
    return [[str(root / name) for name in names] for names in splits] or None


def _group(names: Sequence[str]) -> list[list[str]]:
    """Groups names by the split that they mean; empty if they do not mean two or three splits."""
    found = names_of_splits(names)
    if not all(found):
        return []
    training, others = found
    test = [name for name in others if split_words(name) & {*_TEST_WORDS}]
    validation = [name for name in others if name not in test]
    # Without a validation set, the test set serves as one.
    return [training, validation, test] if validation and test else [training, others]


def _are_ambiguous(splits: Sequence[Sequence[str]]) -> bool:
    """Returns whether a group has names with different words: `valid` beside `dev` are two sets."""
    words = [{word for name in names for word in split_words(name)} for names in splits]
    return any(len(each) > 1 for each in words)


def _check_beside(root: Path, present: Sequence[str], splits: Sequence[Sequence[str]]) -> None:
    """Refuses data beside the splits, which would be left out."""
    if beside := [name for name in present if name not in {*chain(*splits)} and is_visible(name)]:
        shown = " and ".join(enumerate_names(names, 1) for names in splits)
        raise IntakeError(
            f"{root}: contains {enumerate_names(beside)} beside {shown}. "
            "Move it away, or name the folders and files of events that belong together."
        )


def with_label(sources: Sequence[Source], label: int) -> list[Source]:
    """Returns the inputs as inputs of one class."""
    return [replace(source, label=label) for source in sources]


def _find(text: str, notes: list[str], are_joined: bool) -> Iterator[Source]:
    if text in (STDIN, "/dev/stdin"):
        yield Source("standard input", None)
        return
    path, tree = _split_tree(text)
    if path.is_dir():
        yield from _find_in_folder(path, notes, are_joined)
    elif path.exists():
        yield Source(text, path, tree)
    elif path.is_symlink():
        raise InputNotFoundError(f"'{text}' is a broken link. Restore its target, or remove it.")
    elif matches := _match(str(path)):
        for match in matches:
            yield from _find(match, notes, are_joined)
    else:
        kind = "matches no file" if glob.has_magic(text) else "does not exist"
        raise InputNotFoundError(f"'{text}' {kind}. Check the path.")


def _match(pattern: str) -> list[str]:
    """Finds what ``PATTERN`` or ``PATTERN:TREE`` matches.

    ``**`` finds files in folders of any depth.
    """
    _check_listable(Path(pattern))
    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 (not below a folder)
    if "**" in pattern:
        found = [path for path in found if Path(path).is_file()]
    files, _, tree = pattern.rpartition(":")
    if not found and glob.has_magic(files):
        return [f"{path}:{tree}" for path in _match(files) if Path(path).is_file()]
    return found


def _check_listable(pattern: Path) -> None:
    """Lists the folders that a pattern searches, because `glob` skips those that it cannot read.

    Raises:
        OSError: one cannot be read.
    """
    for folder, name in zip(pattern.parents, reversed(pattern.parts), strict=False):
        if glob.has_magic(name):
            places = folder / "**" if name == "**" else folder
            for place in glob.glob(f"{places}/", recursive=True):  # noqa: PTH207 (as above)
                os.scandir(place).close()


def _split_tree(text: str) -> tuple[Path, str | None]:
    """Splits ``FILE:TREE``, unless there is a file of that name."""
    try:
        path = local_path(text)
        file, colon, tree = text.rpartition(":")
        if not path.exists() and colon and local_path(file).is_file():
            return local_path(file), tree
    except PathError as error:
        raise InputNotFoundError(f"{error}.") from error
    return path, None


def _find_in_folder(folder: Path, notes: list[str], are_joined: bool) -> Iterator[Source]:
    files: list[Path] = []
    left_out: list[Path] = []
    for path in _files_below(folder):
        name = path.relative_to(folder).as_posix()
        _refuse_table_format(folder, name)
        is_data = is_visible(name) and not is_document(name) and path.name != MANIFEST
        (files if is_data else left_out).append(path)
    if not files:
        found = f"data files, only {enumerate_names([p.name for p in left_out])}"
        raise IntakeError(
            f"{folder}: contains no {found if left_out else 'files'}. Name a folder or files with "
            "events; names that start with . or _ are ignored."
        )
    _check_files(files)
    if are_joined:
        check_one_split(str(folder), [path.relative_to(folder).as_posix() for path in files])
    if missing := missing_parts(path.name for path in files):
        notes.append(
            f"{folder}: {enumerate_names(missing)} is missing, judging by the names of the others"
        )
    seen = [path for path in left_out if is_visible(path.name) and path.name != MANIFEST]
    if seen:
        notes.append(f"{folder}: left out {enumerate_names([path.name for path in seen])}")
    empty = [path for path in files if _is_empty(path)]
    if files and len(empty) == len(files):
        raise IntakeError(f"{folder}: has only empty files ({len(files)}). Name files with events.")
    if empty:
        notes.append(f"{folder}: skipped empty {enumerate_names([path.name for path in empty])}")
    files = [path for path in files if path not in empty]
    if all(_is_parquet(path) for path in files):
        yield Source(str(folder), folder, files=tuple(files))
        return
    for path in files:
        yield Source(str(path), path)


def _files_below(folder: Path) -> Iterator[Path]:
    """Yields the files below a folder, sorted.

    Raises:
        IntakeError: there is something else, or a link to a folder, which would be left out.
        OSError: a folder cannot be read.
    """
    for path in sorted(_paths_below(folder)):
        is_seen = is_visible(path.relative_to(folder).as_posix())
        if is_seen and path.is_symlink() and path.is_dir():
            raise IntakeError(
                f"{path}: is a link to a folder, which is not followed. Remove it, or name both "
                "folders as inputs."
            )
        if path.is_file():
            yield path
        elif not path.is_dir():
            kind = "is not a file" if path.exists() else "is a broken link"
            raise IntakeError(f"{path}: {kind}. Remove it, or name the files.")


def _paths_below(folder: Path) -> Iterator[Path]:
    """Yields the entries below a folder; `Path.rglob` would skip folders that it cannot read."""

    def fail(error: OSError) -> None:
        if is_visible(os.path.relpath(error.filename, folder)):
            raise error

    for parent, folders, files in os.walk(folder, onerror=fail):
        yield from (Path(parent, name) for name in (*folders, *files))


def _refuse_table_format(folder: Path, name: str) -> None:
    """Refuses a folder with a log that lists which files are still part of the table."""
    for mark, kind in _TABLE_FORMATS.items():
        if mark in f"/{name}":
            raise IntakeError(
                f"{folder}: is {kind}, whose files may hold deleted and replaced rows. Export its "
                "current rows as Parquet with the program that wrote it, and name that folder."
            )


def _check_files(files: Sequence[Path]) -> None:
    for path in files:
        if path.name.lower().endswith(_LEFTOVERS):
            raise IntakeError(
                f"{path}: looks like a backup or an incomplete copy. Move it away, or name the "
                "files to convert."
            )
        plain = path.with_suffix("")
        if path.suffix in _COMPRESSED and plain in files:
            raise IntakeError(
                f"{path} and {plain.name} are the same table in two forms. Move one of them away, "
                "or name the files to convert."
            )


def _is_empty(path: Path) -> bool:
    """Returns whether a file is empty, or compressed and then empty, as Spark writes them."""
    size = path.stat().st_size
    if not 0 < size <= _EMPTY_COMPRESSED_BYTES:
        return not size
    with path.open("rb") as file:
        container = find_container(file.read())
        file.seek(0)
        if container not in DECODERS:
            return False
        with suppress(*UNPACKING_ERRORS):  # The reader describes damaged files.
            return not decompress(file, container).read(1)
    return False


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def open_source(source: Source) -> Any:
    """Opens an input for reading its bytes.

    Raises:
        IntakeError: standard input is closed.
    """
    if source.uri:
        # Beam takes seconds to import, and local inputs do not need it.
        from formats.beam_files import open_file

        return open_file(source.uri)
    if source.path is not None:
        return source.path.open("rb")
    if sys.stdin is None or sys.stdin.closed:
        raise IntakeError("standard input: is closed. Redirect a file or a pipe to the command.")
    return open(sys.stdin.fileno(), "rb", closefd=False)
