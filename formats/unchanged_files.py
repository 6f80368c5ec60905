"""Stamps of local files, which differ once a file was changed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from formats.errors import DataRefusedError


class Stamp(NamedTuple):
    """Size in bytes, times of the last change of content and status in ns, and inode.

    No program can set the second time, so a file whose first one was restored is still noticed.
    """

    bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Stamp":
        """Returns the stamp of a file with this status."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


@contextmanager
def unchanged(*paths: Path) -> Iterator[None]:
    """Refuses files that change while the block reads them.

    This error replaces an error of the block, which may not be the data's fault. Paths that are not
    on a local disk are not checked.

    Raises:
        DataRefusedError: a file grew, shrank, or was overwritten, replaced or removed.
    """
    before = [_find_stamp(path) for path in paths]
    fault = None
    try:
        yield
    except Exception as error:
        fault = error
    for path, expected in zip(paths, before, strict=True):
        if _find_stamp(path) != expected:
            raise DataRefusedError(
                f"{path} was changed while it was read; run the command again when nothing writes "
                "to it"
            ) from fault
    if fault:
        raise fault


def _find_stamp(path: Path) -> Stamp | None:
    try:
        return Stamp.of(path.stat())
    except OSError:
        return None
