"""Descriptions of who may use a file, for messages about permissions."""

import os
import pwd
import stat
from pathlib import Path


def describe_access(path: Path) -> str:
    """Describes owner and mode of a file, or of its nearest folder that can be looked at.

    >>> describe_access(Path("/"))
    'it belongs to root, mode 0755'
    """
    for place in (path, *path.absolute().parents):
        try:
            status = place.stat()
            read_only = os.statvfs(place).f_flag & os.ST_RDONLY
        except OSError:
            continue
        subject = "it" if place == path else str(place)
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        note = ", on a read-only file system" if read_only else ""
        return f"{subject} belongs to {_user(status.st_uid)}, mode {mode}{note}"
    return "its owner is unknown"


def is_writable_folder(path: Path) -> bool:
    """Returns whether files can be created in a folder."""
    return os.access(path, os.W_OK | os.X_OK)


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
