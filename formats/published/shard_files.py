"""Shards on a local disk that cannot be read: links, folders, pipes, permissions."""

import os
import stat
from pathlib import Path

from formats.errors import DataRefusedError

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def check_readable(path: Path) -> os.stat_result:
    """Checks that a path leads to a file that can be read, without waiting for a pipe.

    Returns:
        The status of the file, which may be the target of a link.

    Raises:
        DataRefusedError: it does not.
    """
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            path.open("rb").close()
    except OSError as error:
        raise unreadable(str(path), error) from None
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "not a file")
        raise DataRefusedError(
            f"{path} is {kind}, not a shard; put a file in its place, or remove it"
        )
    return status


def unreadable(path: str, error: OSError) -> DataRefusedError:
    """Returns the refusal of a shard that cannot be opened."""
    local = Path(path)
    if local.is_symlink() and not local.exists():
        return DataRefusedError(
            f"{path} is a link to {local.readlink()}, which does not exist; restore that file, "
            "or remove the link"
        )
    if isinstance(error, PermissionError):
        return DataRefusedError(
            f"{path} cannot be read by this user; change its permissions, or remove it"
        )
    return DataRefusedError(
        f"{path} cannot be read ({error.strerror or error}); fetch it again, or remove it"
    )
