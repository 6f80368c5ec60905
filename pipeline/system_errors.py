"""System errors of any command as sentences with cause and remedy."""

import errno
import os
import tempfile
from pathlib import Path

from components.serving_check.probe import machine_fault
from pipeline.file_access import describe_access

DISK_FAULTS = {
    errno.ENOSPC: ("no space is left", "free some"),
    errno.EDQUOT: ("the disk quota is used up", "free some"),
    errno.EROFS: ("the file system is read-only", "choose a folder that can be written"),
    errno.EIO: ("the disk reports an input/output error", "check the disk"),
    errno.ENOTSUP: (
        "the file system does not support this operation",
        "choose a folder on a local disk",
    ),
    errno.ENOTCONN: ("the file system is not connected", "mount it again"),
    errno.ESTALE: ("the server no longer has the open file", "mount it again"),
}
"""Reasons why a disk cannot be read or written, with the remedies."""

OUT_OF_MEMORY = (
    "there is not enough memory",
    "end other programs, or allow more (`ulimit -v`)",
)
LIMITS = {
    errno.EFBIG: ("the file would exceed the largest size allowed", "raise it (`ulimit -f`)"),
    errno.EMFILE: ("this process has too many files open", "allow more (`ulimit -n 4096`)"),
    errno.ENFILE: ("too many files are open on this machine", "end other programs"),
    errno.ENOMEM: OUT_OF_MEMORY,
}
"""Limits of the process or the machine: the reason and the remedy."""

_ACCESS = (errno.EACCES, errno.EPERM)


def explain(error: BaseException) -> tuple[str, str] | None:
    """Returns the reason and the remedy of a disk's fault or a limit; None for anything else."""
    is_memory = isinstance(machine_fault(error), MemoryError)
    number = errno.ENOMEM if is_memory else getattr(error, "errno", None) or 0
    if number == errno.ENOSPC and lacks_inodes(getattr(error, "filename", None)):
        return "no inodes are left on the file system (`df -i`)", "remove files there"
    return {**LIMITS, **DISK_FAULTS}.get(number)


def lacks_inodes(path: str | Path | None) -> bool:
    """Returns whether the file system of a path takes no new files although it may have space."""
    if not isinstance(path, str | Path):
        return False
    try:
        place = Path(path).absolute()
        status = os.statvfs(next(folder for folder in (place, *place.parents) if folder.exists()))
    except OSError:  # another error is to be described
        return False
    # Some file systems count no inodes.
    return status.f_files > 0 and status.f_favail == 0


def _has_working_directory() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def describe_system_error(error: BaseException) -> str:
    """Describes an error of the system with its file, cause and remedy.

    Args:
        error: an `OSError`, or one that `explain` knows.

    >>> describe_system_error(OSError(errno.ENOSPC, "No space left on device", "/data/x"))
    '/data/x: no space is left; free some, or use another folder'
    """
    name = getattr(error, "filename", None)
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    elif isinstance(name, int):  # an open file's number
        name = None
    place = f"{name}: " if name else ""
    if explained := explain(error):
        reason, remedy = explained
        is_full = remedy == "free some"
        # `tempfile.gettempdir` could fail: it tries to write a file.
        is_temporary = name and name == tempfile.tempdir
        other = ", or set TMPDIR to another" if is_temporary else ", or use another"
        return f"{place}{reason}; {remedy}{f'{other} folder' * is_full}"
    assert isinstance(error, OSError)
    if not name and not _has_working_directory():
        return "the working directory was deleted; change to a folder that exists"
    reason = error.strerror or str(error)
    if reason.startswith("No usable temporary directory"):  # `tempfile`'s message
        return f"{reason}; set TMPDIR to a folder that can be written"
    # Creating a folder with its name would only report that it exists.
    if name and os.path.islink(name) and not os.path.exists(name):  # noqa: PTH110, PTH114 (no errors)
        return f"{place}{describe_access(Path(name))}; restore that, or remove the link"
    if error.errno in _ACCESS and name:
        access = describe_access(Path(name))
        return f"{place}{reason} ({access}); change the permissions, or use another file or folder"
    return f"{place}{reason}; check the file and its folder"
