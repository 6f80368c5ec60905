"""Moved and copied roots: the metadata names artifacts by absolute paths, which must follow.

TFX names an artifact ``ROOT/artifacts/NODE/KEY/EXECUTION``, so the artifacts themselves tell
where their root was when they were made. Everything that is recorded below such a folder is
looked up below the folder that the root is in now.
"""

import os
import re
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from formats.atomic_files import atomic_path
from pipeline.local_root import FOLDERS
from pipeline.metadata_check import check_content, database, is_missing, metadata_file
from pipeline.metadata_content import remove_dangling_rows
from pipeline.user_errors import MetadataError

_ARTIFACT = re.compile(r"(?P<root>/.*)/artifacts/[^/]+/[^/]+/[0-9]+/?", re.DOTALL)

# An importer's artifact stays where it was imported from.
_MADE_HERE = """
    SELECT DISTINCT Artifact.uri FROM Artifact
    JOIN Event ON Event.artifact_id = Artifact.id
    JOIN Execution ON Execution.id = Event.execution_id
    JOIN Type ON Type.id = Execution.type_id
    WHERE Event.type = 4 AND Type.name NOT LIKE '%.Importer'
"""


def relocate(root: Path) -> list[str]:
    """Updates the artifact paths in the metadata of a moved root, in one transaction.

    Args:
        root: an absolute path; the caller holds it exclusively.

    Returns:
        The folders where the root was before; empty if it has not moved.

    Raises:
        MetadataError: the metadata cannot be changed.
    """
    if is_missing(root):
        return []
    _unshare(root)
    with database(root, metadata_file(root), "rw") as connection:
        for place in former_roots(connection, str(root)):
            _check_separate(Path(place), root)
        return rewrite_paths(connection, str(root))


@contextmanager
def read_metadata(root: Path) -> Iterator[str]:
    """Yields a private copy of a root's metadata, in which the paths are where the root is now.

    Commands that only read thus change nothing, and need no write permission.

    Args:
        root: a root that has metadata.

    Raises:
        MetadataError: the metadata is damaged or cannot be read.
    """
    path = metadata_file(root)
    # Write access also allows SQLite to roll back what a killed process left.
    mode = "rw" if all(os.access(place, os.W_OK) for place in (path, path.parent)) else "ro"
    with _temporary_folder() as folder:
        copy = folder / path.name
        with database(root, path, mode) as connection:
            check_content(root, path, connection)
            copy_database(connection, copy)
        with database(root, copy, "rw") as connection:
            remove_dangling_rows(connection)
            rewrite_paths(connection, _absolute(root))
        yield str(copy)


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="higgs-", ignore_cleanup_errors=True)
    except OSError as error:
        raise MetadataError(
            f"no temporary folder for a copy of the metadata: {error}; set TMPDIR to one"
        ) from None
    with folder as name:
        yield Path(name)


def copy_database(connection: sqlite3.Connection, copy: Path) -> None:
    """Copies an open database to a file, consistently even while it is written.

    Raises:
        MetadataError: the file cannot be written.
    """
    try:
        with closing(sqlite3.connect(copy)) as target:
            connection.backup(target)
    except sqlite3.OperationalError as error:
        remedy = "free some space there" if "full" in str(error) else "check that disk"
        raise MetadataError(f"cannot copy the metadata to {copy}: {error}; {remedy}") from None


def rewrite_paths(connection: sqlite3.Connection, root: str) -> list[str]:
    """Rewrites the artifacts' folders and the paths in their properties.

    What a run was configured with stays as it was.

    Returns:
        The former folders of the root.
    """
    former = former_roots(connection, root)
    if former:
        connection.create_function("relocated", 1, lambda path: relocated(path, former, root))
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE Artifact SET uri = relocated(uri) WHERE uri LIKE '/%'")
        connection.execute(
            "UPDATE ArtifactProperty SET string_value = relocated(string_value) "
            "WHERE string_value LIKE '/%'"
        )
        connection.execute("COMMIT")
    return former


def former_roots(connection: sqlite3.Connection, root: str) -> list[str]:
    """Returns the folders in which artifacts were made that are not ``root``."""
    made_here = [uri for (uri,) in connection.execute(_MADE_HERE)]
    return sorted({former_root(uri) or root for uri in made_here} - {root})


def former_root(uri: str) -> str | None:
    """Returns the root below which TFX put an artifact; None if it is not in a local root.

    >>> former_root("/runs/demo/artifacts/Trainer/model/8")
    '/runs/demo'
    """
    match = _ARTIFACT.fullmatch(uri or "")
    return match["root"] if match else None


def relocated(path: str, former: Iterable[str], root: str) -> str:
    """Returns the current path of one that was recorded when the root was elsewhere.

    >>> relocated("/old/serving/17", ["/old"], "/new")
    '/new/serving/17'

    Args:
        path: an artifact's folder, or any other path.
        former: the folders in which the root was.
        root: the folder in which it is.
    """
    base = former_root(path)
    if base is None or base not in (*former, root):
        # One root may contain another: the longest match is the one that was meant.
        candidates = (place for place in (*former, root) if f"{path}/".startswith(f"{place}/"))
        base = max(candidates, key=len, default=root)
    return path if base == root else root + path[len(base) :]


def _check_separate(place: Path, root: Path) -> None:
    """Checks that a copy shares no folder with its original, by links that were copied as such.

    Raises:
        MetadataError: a run would change the original.
    """
    if _is_same(place, root):
        return
    for name in (*FOLDERS, metadata_file(Path()).as_posix()):
        if _is_same(place / name, root / name):
            raise MetadataError(
                f"{root / name} and {place / name} are the same, because a link was copied: give "
                "each root its own (`cp -aL` copies what links lead to)"
            )


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def _absolute(root: Path) -> str:
    """Returns the absolute path of a root, without ``..`` unless it leads through a link."""
    absolute = root.absolute()
    plain = Path(os.path.normpath(absolute))
    return str(plain if _is_same(plain, absolute) else absolute)


def _unshare(root: Path) -> None:
    """Gives a root that was copied with hard links a metadata file of its own."""
    path = metadata_file(root)
    if path.stat().st_nlink == 1:
        return
    try:
        with atomic_path(path) as copy, database(root, path, "rw") as connection:
            copy_database(connection, copy)
    except OSError as error:
        raise MetadataError(f"cannot copy {path} in its folder: {error.strerror}") from None
