"""Writers of the published layout: TFRecord shards in ``training/`` and ``validation/``.

Nothing half written can be taken for data. A shard gets its name when it is whole, and the two
folders get theirs when both are: until then they lie in a folder that starts with a dot.
Nothing old is lost before: once the new data set is whole, replacing the old one is a few renames,
which the next start finishes if this one is killed amid them.
"""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, NamedTuple

from formats.published.record import Events, encode_events

SHARD_SIZE = 50_000
"""Events in a shard, unless asked otherwise: about 9 MB."""

TRAINING, VALIDATION = "training", "validation"

_INCOMPLETE, _COMPLETE = ".incomplete", ".complete"


class OutputExistsError(FileExistsError):
    """The output folder holds something that a new data set would mix with or replace."""


class Written(NamedTuple):
    """How much was written."""

    events: int
    shards: int


def write_dataset(
    directory: Path,
    training: Iterable[Events],
    validation: Iterable[Events],
    *,
    shard_size: int = SHARD_SIZE,
    overwrite: bool = False,
) -> dict[str, Written]:
    """Writes a data set: ``training/`` and ``validation/``, which appear once both are whole.

    Args:
        directory: where the two folders go; made where missing.
        training: events to train on; all are taken before the first of `validation`.
        validation: events held out. With none there is no such folder.
        shard_size: events in a shard.
        overwrite: replace the shards of an earlier data set.

    Returns:
        What was written of each split.

    Raises:
        OutputExistsError: there is data already and `overwrite` is not set, or there are files
            that are no shards.
    """
    _put_in_place(directory)
    check_output(directory, overwrite=overwrite)
    with _incomplete(directory) as aside:
        written = {
            split: write_shards(events, aside / split, shard_size)
            for split, events in ((TRAINING, training), (VALIDATION, validation))
        }
        aside.rename(directory / _COMPLETE)
    _put_in_place(directory)
    return written


@contextmanager
def _incomplete(directory: Path) -> Iterator[Path]:
    """A folder aside for a new data set; what fails leaves none, and no folder made for it."""
    made = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    aside = directory / _INCOMPLETE
    shutil.rmtree(aside, ignore_errors=True)
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        for folder in made:
            with suppress(OSError):  # It is not there, or not empty.
                folder.rmdir()


def check_output(directory: Path, *, overwrite: bool) -> None:
    """Refuses an output folder whose files would be mixed with new ones, or lost.

    Raises:
        OutputExistsError: as for `write_dataset`.
    """
    files = [path for split in (TRAINING, VALIDATION) for path in (directory / split).glob("*")]
    foreign = [path for path in files if path.suffix != ".tfrecord"]
    if foreign:
        raise OutputExistsError(
            f"{foreign[0]} is no shard and would be lost. Choose another --out, or move it away."
        )
    if files and not overwrite:
        raise OutputExistsError(
            f"{directory} holds {len(files)} shards already. "
            "Choose another --out, or replace them with --overwrite."
        )


def _put_in_place(directory: Path) -> None:
    """Renames the splits of a whole new data set, or those that a killed run has not yet.

    Training goes first and comes last, so old and new never pair up. The old splits are deleted
    when the new ones are in place.
    """
    new = directory / _COMPLETE
    for split in (TRAINING, VALIDATION):
        if (new / split).exists() and (directory / split).exists():
            (directory / split).rename(new / f"old-{split}")
    for split in (VALIDATION, TRAINING):
        if any((new / split).glob("*")):  # One without events gets no folder.
            (new / split).rename(directory / split)
    shutil.rmtree(new, ignore_errors=True)


def write_shards(chunks: Iterable[Events], directory: Path, shard_size: int) -> Written:
    """Writes events to ``shard-00000.tfrecord`` and so on, each named when it is whole.

    Args:
        chunks: events in any portions; a few of them are all that is held in memory.
        directory: where the shards go; made where missing.
        shard_size: events in each shard but the last.
    """
    directory.mkdir(parents=True, exist_ok=True)
    events = shards = 0
    for shard, pieces in groupby(_pieces(chunks, shard_size), key=itemgetter(0)):
        with _appears_whole(directory / f"shard-{shard:05d}.tfrecord") as file:
            for _, piece in pieces:
                file.write(encode_events(piece))
                events += len(piece.labels)
        shards += 1
    return Written(events, shards)


def _pieces(chunks: Iterable[Events], shard_size: int) -> Iterator[tuple[int, Events]]:
    """Cuts chunks where shards end: pairs of the shard's number and its next events."""
    count = 0
    for chunk in chunks:
        start = 0
        while start < len(chunk.labels):
            shard, filled = divmod(count, shard_size)
            piece = _cut(chunk, slice(start, start + shard_size - filled))
            yield shard, piece
            start += len(piece.labels)
            count += len(piece.labels)


def _cut(events: Events, part: slice) -> Events:
    return Events(events.features[part], events.labels[part])


@contextmanager
def _appears_whole(path: Path) -> Iterator[BinaryIO]:
    """Opens a file for writing under a name that no ``*.tfrecord`` matches, and renames it."""
    aside = path.with_name(f".{path.name}.part")
    with aside.open("wb") as file:
        yield file
    aside.rename(path)


def split_at(chunks: Iterable[Events], first: int) -> tuple[Iterator[Events], Iterator[Events]]:
    """The first so many events, and the others; the first must be used up before the others."""
    pieces = _pieces(chunks, first) if first else ((1, chunk) for chunk in chunks)
    held: list[Events] = []

    def head() -> Iterator[Events]:
        for part, piece in pieces:
            if part:
                held.append(piece)
                return
            yield piece

    def tail() -> Iterator[Events]:
        yield from held
        yield from (piece for _, piece in pieces)

    return head(), tail()
