"""Manifests: which files an artifact consists of, with the size and the SHA-256 of each.

A manifest is taken when a node has succeeded, and compared with the folder before the artifact is
reused, evaluated or pushed. Folders may be in an object store.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from formats.content_key import HashingReader
from formats.locations import is_remote

DIGEST_PROPERTY = "manifest_sha256"
"""Custom property of an artifact that holds the digest of its manifest."""

MODEL_DIGEST_PROPERTY = "model_sha256"
"""Custom property of an InfraBlessing: the digest of the manifest of the blessed SavedModel."""

CHUNK_BYTES = 1 << 20


class FileDigest(NamedTuple):
    """One file: its size in bytes and its SHA-256 as hexadecimal digits."""

    bytes: int
    sha256: str


Manifest = Mapping[str, FileDigest]
"""The files of a folder by their relative paths, with ``/`` between the parts."""


def take_manifest(folder: str) -> dict[str, FileDigest]:
    """Reads every file below a folder; empty directories are not part of a manifest.

    Raises:
        OSError: a file cannot be read, or is not a regular file (a symbolic link, a pipe).
    """
    return {path: digest_file(f"{folder}/{path}") for path in sorted(list_files(folder))}


def manifest_digest(manifest: Manifest) -> str:
    """Returns one SHA-256 for all files, their paths, and their sizes.

    >>> manifest_digest({})
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    digest = hashlib.sha256()
    for path, file in sorted(manifest.items()):
        digest.update(f"{len(path.encode())} {path} {file.bytes} {file.sha256}\n".encode())
    return digest.hexdigest()


def verify(folder: str, manifest: Manifest, *, others_allowed: bool = False) -> list[str]:
    """Compares every file of a folder with a manifest, by content.

    Args:
        folder: the folder now.
        manifest: what it held when it was complete.
        others_allowed: whether the folder may hold files that the manifest does not list.

    Returns:
        One clause per difference, such as ``variables/variables.index is missing (1,204 bytes)``;
        empty if there is none.
    """
    return [*find_differences(folder, manifest, others_allowed=others_allowed).values()]


def find_differences(
    folder: str,
    manifest: Manifest,
    *,
    others_allowed: bool = False,
    is_trusted: Callable[[str], bool] = lambda _: False,
) -> dict[str, str]:
    """Compares a folder with a manifest as ``verify`` does, except for trusted files; by path.

    Args:
        folder: the folder now.
        manifest: what it held when it was complete.
        others_allowed: whether the folder may hold files that the manifest does not list.
        is_trusted: whether a file, by its path, need not be read.
    """
    try:
        present = set(list_files(folder))
    except OSError as error:
        return {folder: f"{error.filename} cannot be read ({error.strerror})"}
    added = () if others_allowed else sorted(present - set(manifest))
    problems = {path: f"{path} was added" for path in added}
    for path, expected in sorted(manifest.items()):
        if path not in present:
            problems[path] = f"{path} is missing ({expected.bytes:,} bytes)"
        elif not is_trusted(path) and (problem := compare_file(f"{folder}/{path}", path, expected)):
            problems[path] = problem
    return problems


def compare_file(location: str, path: str, expected: FileDigest) -> str:
    """Compares the content of one file; returns the difference, or nothing.

    Args:
        location: the file.
        path: its path in the manifest, for the message.
        expected: its size and digest.
    """
    try:
        actual = digest_file(location)
    except OSError as error:
        return f"{path} cannot be read ({error.strerror or error})"
    if actual.bytes != expected.bytes:
        return f"{path} has {actual.bytes:,} of {expected.bytes:,} bytes"
    if actual.sha256 != expected.sha256:
        return f"{path} has other content ({actual.bytes:,} bytes, another SHA-256)"
    return ""


def summarize(problems: list[str], limit: int = 3) -> str:
    """Joins the first problems into one line, and counts the others.

    >>> summarize(["a is missing", "b is missing", "c was added"], limit=1)
    'a is missing, and 2 more differences'
    """
    rest = len(problems) - limit
    more = f", and {rest:,} more difference{'s' if rest > 1 else ''}" if rest > 0 else ""
    return "; ".join(problems[:limit]) + more


def digest_file(location: str) -> FileDigest:
    """Computes the size and the SHA-256 of a file.

    Raises:
        OSError: it cannot be read, or is not a regular file.
    """
    if not is_remote(location) and not stat.S_ISREG(Path(location).lstat().st_mode):
        raise OSError(errno.EINVAL, "not a regular file", location)
    with open_file(location) as file:
        reader = HashingReader(file)
        digest = reader.finish()
    return FileDigest(reader.bytes, digest)


def list_files(folder: str, *, skip_unreadable: bool = False) -> Iterator[str]:
    """Yields the relative path of every file below a folder; none if the folder does not exist.

    A symbolic link counts as a file, whatever it points to.

    Args:
        folder: on a disk or in an object store.
        skip_unreadable: whether folders on a disk that cannot be read are left out.

    Raises:
        OSError: a folder other than ``lost+found`` cannot be read.
    """
    if not (_fileio().exists(folder) if is_remote(folder) else Path(folder).exists()):
        return
    # Object stores list folders with a trailing slash.
    start = len(folder.rstrip("/")) + 1
    # Unlike TFX's, Python's function does not follow links.
    onerror = None if skip_unreadable else _fail
    walk = _fileio().walk(folder) if is_remote(folder) else os.walk(folder, onerror=onerror)
    for directory, directories, files in walk:
        parent = directory.rstrip("/")
        links = (name for name in directories if Path(parent, name).is_symlink())
        yield from (f"{parent}/{name}"[start:] for name in (*files, *links))


def _fail(error: OSError) -> None:
    if not str(error.filename).endswith("/lost+found"):
        raise error


def open_file(location: str) -> BinaryIO:
    """Opens a file for reading bytes, on a disk or in an object store.

    Raises:
        OSError: it cannot be opened, or is a pipe, which would block.
    """
    if is_remote(location):
        file: BinaryIO = _fileio().open(location, "rb")
        return file
    if Path(location).is_fifo():
        raise OSError(errno.EINVAL, "not a regular file", location)
    return Path(location).open("rb")


def _fileio() -> Any:
    """Imports TFX's file layer, which takes seconds and is not needed for local folders."""
    from tfx.dsl.io import fileio

    return fileio
