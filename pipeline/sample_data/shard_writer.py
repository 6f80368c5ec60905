"""Writer of the published layout: TFRecord shards in ``training/``, ``validation/`` and ``test/``.

Incomplete data is never visible. A shard gets its name when it is complete, and the folders get
theirs when all are; until then they are in a folder whose name starts with a dot. An old data
set is replaced only when the new one is complete, by a few renames, which the next start finishes
if this one is killed between them.
"""

import hashlib
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from formats.atomic_files import atomic_path
from formats.errors import UserError
from formats.folder_lock import locked_folder
from formats.published.manifest import (
    Manifest,
    ManifestError,
    ShardEntry,
    read_manifest,
    write_manifest,
)
from formats.published.record import Events, encode_events
from formats.published.shards import MANIFEST
from pipeline.local_data import TEST, TRAINING, VALIDATION
from pipeline.sample_data.event_streams import cut

SHARD_SIZE = 50_000
"""Default number of events per shard: about 9 MB."""

SPLITS = (TRAINING, VALIDATION, TEST)
"""The folders of a data set; the last two may be missing."""

_SHARD_NAME = re.compile(r"shard-\d{5,}\.tfrecord")

_ENCODED_TOGETHER = 4096

_INCOMPLETE, _COMPLETE = ".incomplete", ".complete"


class OutputExistsError(UserError, FileExistsError):
    """The output folder contains files that a new data set would replace or be mixed with."""

    exit_code = 2


class SplitSize(NamedTuple):
    """The number of events and shards of a split."""

    events: int
    shards: int


def write_dataset(
    directory: Path,
    training: Iterable[Events],
    validation: Iterable[Events],
    test: Iterable[Events] = (),
    *,
    shard_size: int = SHARD_SIZE,
    overwrite: bool = False,
    encode: Callable[[Events], bytes] = encode_events,
    make_manifest: Callable[[tuple[ShardEntry, ...]], Manifest] | None = None,
) -> dict[str, SplitSize]:
    """Writes a data set: a folder per split, which appear when all are complete.

    Args:
        directory: the folder of the splits; created if missing.
        training: events to train on; all are consumed before the first of `validation`.
        validation: events to evaluate on. If there are none, there is no such folder.
        test: events of ``test/``, consumed last; the same.
        shard_size: events per shard.
        overwrite: replace the shards of an earlier data set.
        encode: gives the content of a shard with some events.
        make_manifest: makes ``manifest.json`` from the shards, when all are written.

    Returns:
        The size of each split; of ``test`` only if it has events.

    Raises:
        OutputExistsError: there is a data set already and `overwrite` is not set, or there is
            anything that this function did not write.
        FolderBusyError: another command writes to the folder.
    """
    with _own_folder(directory):
        _move_into_place(directory)
        check_output(directory, overwrite=overwrite)
        staging = directory / _INCOMPLETE
        shutil.rmtree(staging, ignore_errors=True)
        try:
            shards = {
                split: write_shards(events, staging / split, shard_size, encode)
                for split, events in zip(SPLITS, (training, validation, test), strict=True)
            }
            if not shards[TEST] and not _has_own_test(directory):
                (staging / TEST).rmdir()  # So that it does not replace a file of the user.
            if make_manifest:
                write_manifest(staging, make_manifest(tuple(chain(*shards.values()))))
            staging.rename(directory / _COMPLETE)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        with _undone_if_refused(directory / _COMPLETE):
            _move_into_place(directory)
    return {
        split: SplitSize(sum(entry.events for entry in entries), len(entries))
        for split, entries in shards.items()
        if entries or split != TEST
    }


@contextmanager
def _undone_if_refused(complete: Path) -> Iterator[None]:
    """Deletes a complete data set if the system refuses the first rename.

    It would replace the old one at the next start, of whichever command.
    """
    before = {path.name for path in complete.iterdir()}
    try:
        yield
    except OSError:
        if {path.name for path in complete.iterdir()} == before:
            shutil.rmtree(complete, ignore_errors=True)
        raise


@contextmanager
def _own_folder(directory: Path) -> Iterator[None]:
    """Locks the folder of a data set; a failure leaves no folder that was created."""
    created = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    with locked_folder(directory):
        try:
            yield
        finally:
            for folder in created:
                with suppress(OSError):  # It does not exist, or is not empty.
                    folder.rmdir()


def check_output(directory: Path, *, overwrite: bool) -> None:
    """Rejects an output folder whose files would be lost, or mixed with new ones.

    Raises:
        OutputExistsError: as for `write_dataset`.
    """
    foreign = sorted(_foreign_files(directory))
    if foreign:
        others = f" and {len(foreign) - 1} more" if foreign[1:] else ""
        raise OutputExistsError(
            f"{directory} contains {foreign[0].relative_to(directory)}{others}, which this command "
            "did not write: new events would be mixed with it, or replace it. Choose a new folder "
            "for --out."
        )
    files = [path for split in SPLITS for path in _entries(directory / split)]
    if files and not overwrite:
        raise OutputExistsError(
            f"{directory} already contains {len(files)} shard{'s' if files[1:] else ''}. "
            "Choose another --out, or replace them with --overwrite."
        )


def _foreign_files(directory: Path) -> Iterator[Path]:
    """Yields what `write_dataset` did not write, except hidden files beside the splits."""
    splits = SPLITS if _has_own_test(directory) else (TRAINING, VALIDATION)
    for path in _entries(directory):
        if path.name not in (*splits, MANIFEST) and not path.name.startswith("."):
            yield path
    for split in splits:
        for path in _entries(directory / split):
            if not _SHARD_NAME.fullmatch(path.name) or not path.is_file():
                yield path


def _entries(folder: Path) -> list[Path]:
    """Lists a folder, if it exists; `Path.glob` finds nothing in one that it cannot read."""
    return [*folder.iterdir()] if folder.is_dir() else []


def _has_own_test(directory: Path) -> bool:
    """Returns whether the manifest names shards of the test set, which people also put there."""
    try:
        shards = read_manifest(directory / MANIFEST).shards
    except (ManifestError, OSError):
        return False
    return any(shard.path.startswith(f"{TEST}/") for shard in shards)


def _move_into_place(directory: Path) -> None:
    """Renames the splits of a complete data set, or those that a killed run left to rename.

    Training goes first and comes last, so old and new splits are never paired; only the manifest
    goes before and comes after it. The old splits are deleted when the new ones are in place.
    """
    complete = directory / _COMPLETE
    if complete.exists() and (directory / MANIFEST).exists():
        (directory / MANIFEST).rename(complete / f"old-{MANIFEST}")
    for split in SPLITS:
        if (complete / split).exists() and (directory / split).exists():
            (directory / split).rename(complete / f"old-{split}")
    for split in reversed(SPLITS):
        if _entries(complete / split):  # A split without events gets no folder.
            (complete / split).rename(directory / split)
    if (complete / MANIFEST).exists():
        (complete / MANIFEST).rename(directory / MANIFEST)
    shutil.rmtree(complete, ignore_errors=True)


def write_shards(
    chunks: Iterable[Events],
    directory: Path,
    shard_size: int,
    encode: Callable[[Events], bytes] = encode_events,
) -> list[ShardEntry]:
    """Writes events to ``shard-00000.tfrecord`` and so on.

    Args:
        chunks: events in chunks of any size; a few of them are held in memory.
        directory: the folder of the shards; created if missing.
        shard_size: events in each shard but the last.
        encode: gives the content of a shard with some events.

    Returns:
        The shards, with paths that start with the folder's name.
    """
    directory.mkdir(parents=True, exist_ok=True)
    entries = []
    for shard, pieces in groupby(cut(chunks, shard_size), key=itemgetter(0)):
        path = directory / f"shard-{shard:05d}.tfrecord"
        digest, events, size = hashlib.sha256(), 0, 0
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            # Larger parts would be returned to the system and allocated again each time.
            for _, piece in cut((piece for _, piece in pieces), _ENCODED_TOGETHER):
                content = encode(piece)
                size += file.write(content)
                digest.update(content)
                events += len(piece.labels)
        name, sha256 = f"{directory.name}/{path.name}", digest.hexdigest()
        entries.append(ShardEntry(path=name, bytes=size, events=events, sha256=sha256))
    return entries
