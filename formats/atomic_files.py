"""Local files that appear complete or not at all, even after a loss of power."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP)
"""Errors of file systems, such as some network shares, that cannot sync a directory."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside ``path`` that takes its place when the block succeeds.

    The directory of ``path`` is created if it is missing. If the block raises, the temporary
    file is removed and ``path`` stays as it was.

    Raises:
        OSError: the file cannot be written; the error names ``path`` if the system names no file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with naming(path, temporary):
            yield temporary
            sync(temporary)
            temporary.replace(path)
            sync(path.parent)
    finally:
        with suppress(OSError):  # an error of the block, if any, is the one to report
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8 that appears complete or not at all; see ``atomic_path``."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove_leftovers(path: Path) -> None:
    """Removes temporary files and folders of a path, ``.NAME.PROCESS``, of killed processes."""
    if not path.parent.is_dir():
        return
    prefix = f".{path.name}."
    for file in path.parent.iterdir():
        process = file.name.removeprefix(prefix)
        if file.name != process and process.isdecimal() and not Path("/proc", process).exists():
            if file.is_dir() and not file.is_symlink():
                shutil.rmtree(file, ignore_errors=True)
            else:
                file.unlink(missing_ok=True)


@contextmanager
def naming(path: str | Path, temporary: Path | None = None) -> Iterator[None]:
    """Adds a file name to system errors that have none, or that name its temporary file."""
    try:
        yield
    except OSError as error:
        if error.errno and error.filename in (None, str(temporary)):
            raise type(error)(error.errno, error.strerror, str(path)) from error
        raise


def sync(path: Path) -> None:
    """Waits until a file, or a directory's entries, are on the disk, if the system can tell.

    Raises:
        OSError: the disk failed; the error names ``path``.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with naming(path):
            os.fsync(descriptor)
    except OSError as error:
        if error.errno not in CANNOT_SYNC:
            raise
    finally:
        os.close(descriptor)
