"""Write checks of folders, and descriptions of a file's owner and mode for messages."""

import errno
import os
import pwd
import stat
import tempfile
from pathlib import Path


def describe_access(path: Path) -> str:
    """Describes owner and mode of a file, or of its nearest accessible folder.

    >>> describe_access(Path("/"))
    'it belongs to root, mode 0755'
    """
    for place in (path, *path.absolute().parents):
        subject = "it" if place == path else str(place)
        try:
            if place.is_symlink() and not place.exists():
                return f"{subject} is a link to {place.readlink()}, which does not exist"
            status = place.stat()
            read_only = os.statvfs(place).f_flag & os.ST_RDONLY
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM):
                continue
            return f"{subject} cannot be reached ({error.strerror})"
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        note = ", on a read-only file system" if read_only else ""
        return f"{subject} belongs to {_user(status.st_uid)}, mode {mode}{note}"
    return "its owner is unknown"


def find_write_error(folder: Path) -> OSError | None:
    """Writes a file to a folder and removes it; returns the error if that fails.

    Checking permissions is not enough: root has them even where nothing can be written (/proc).
    """
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".higgs-") as file:
            file.write(bytes(65536))
    except OSError as error:
        return error
    return None


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
