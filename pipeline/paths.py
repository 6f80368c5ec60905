"""Paths given by users: on the local disk, or URIs of an object store."""

import re
from pathlib import Path

REMOTE_SCHEMES = ("gs", "s3", "minio", "hdfs")
"""URI schemes of the stores that the nodes can read and write."""

# Two letters at least; the second slash is often lost (`gs:/bucket`).
_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):/(?P<slash>/?)")

# TFX and Beam treat paths as patterns.
_PATTERN_CHARACTERS = frozenset("*?[]{}")


_NOT_NAMES = frozenset({"", ".", ".."})


class PathError(ValueError):
    """A path that cannot be used; the message has the path and the remedy."""


def check_location(path: str) -> str:
    """Returns a local path or a URI of a known store unchanged.

    Raises:
        PathError: it looks like a URI, but of no known store, or contains an empty folder,
            ``.`` or ``..``.
    """
    match = _URI.match(path)
    if match and not (match["slash"] and match["scheme"] in REMOTE_SCHEMES):
        schemes = ", ".join(f"{scheme}://" for scheme in REMOTE_SCHEMES)
        raise PathError(f"{path} is neither a local path nor one of {schemes}")
    if match:
        _, *folders = path[match.end() :].partition("?")[0].rstrip("/").split("/")
        if found := _NOT_NAMES.intersection(folders):
            raise PathError(
                f"{path} has the folder {min(found)!r}: object stores do not resolve it, as a disk "
                "does; leave it out"
            )
    return path


def find_pattern(path: str) -> str:
    """Returns why TFX would not find a folder by its path or URI; empty if it would.

    >>> find_pattern("/data/[old]")
    'TFX treats [ ] in a path as a pattern: rename /data/[old]'
    """
    special = " ".join(sorted(_PATTERN_CHARACTERS.intersection(path)))
    return f"TFX treats {special} in a path as a pattern: rename {path}" if special else ""


def local_path(text: str) -> Path:
    """Returns a path on the local disk, with ``~`` expanded to the home folder.

    >>> local_path("data/demo").as_posix()
    'data/demo'

    Raises:
        PathError: the path is empty, a URI, or in the home folder of an unknown user.
    """
    if not text:
        raise PathError("the path is empty")
    if match := _URI.match(text):
        scheme = match["scheme"].lower()
        remedy = "omit the scheme" if scheme == "file" else "copy the files to or from a local disk"
        raise PathError(f"{text} is a URI, but a local path is required; {remedy}")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        user = text.partition("/")[0]
        raise PathError(f"{text}: {user} has no home folder here; give the whole path") from None
