"""Folder locks that keep two commands from writing to the same folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from formats.errors import UserError


class FolderBusyError(UserError, RuntimeError):
    """Another command is writing to a folder."""


@contextmanager
def locked_folder(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Locks a folder on a local disk until the block ends, or until the process does.

    Some network file systems lock no folders; there the block runs without a lock.

    Args:
        folder: the folder; created if missing.
        wait: wait for another command that holds the lock, instead of raising an error.

    Raises:
        FolderBusyError: another command holds the lock, or has just removed the folder.
        OSError: the folder cannot be created or read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise _busy(folder) from None
        # The command that held the lock removes the folder if it fails.
        if not folder.exists() or not os.path.samestat(os.fstat(descriptor), folder.stat()):
            raise _busy(folder)
        yield
    finally:
        os.close(descriptor)


def _busy(folder: Path) -> FolderBusyError:
    return FolderBusyError(
        f"another command is writing to {folder}; run this one again when it has ended, or choose "
        "another folder"
    )
