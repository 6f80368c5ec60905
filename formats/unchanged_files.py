"""Local files that must stay as they are while they are read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from formats.errors import DataRefusedError


class Identity(NamedTuple):
    """The file status that shows that a file was not touched."""

    device: int
    inode: int
    bytes: int
    modified_ns: int
    changed_ns: int


def identity(status: os.stat_result) -> Identity:
    """Returns the identity of a file from its status."""
    return Identity(
        status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    )


@contextmanager
def unchanged(*paths: Path) -> Iterator[None]:
    """Refuses files that change while the block reads them.

    This error replaces an error of the block, which may not be the data's fault. Paths that are not
    on a local disk are not checked.

    Raises:
        DataRefusedError: a file grew, shrank, or was overwritten, replaced or removed.
    """
    before = [_find_identity(path) for path in paths]
    fault = None
    try:
        yield
    except Exception as error:
        fault = error
    for path, expected in zip(paths, before, strict=True):
        if _find_identity(path) != expected:
            raise DataRefusedError(
                f"{path} was changed while it was read; run the command again when nothing writes "
                "to it"
            ) from fault
    if fault:
        raise fault


def _find_identity(path: Path) -> Identity | None:
    try:
        return identity(path.stat())
    except OSError:
        return None
