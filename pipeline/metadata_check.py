"""Checks of the metadata file before it is used; TFX is not imported.

Nothing is changed, except that the rows that a failed commit has left are removed.
"""

import os
import shlex
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from pipeline.file_access import describe_access
from pipeline.metadata_content import (
    TABLES,
    find_invalid_value,
    read_types,
    remove_dangling_rows,
    table_names,
)
from pipeline.user_errors import DamagedMetadataError, MetadataError

SCHEMA_VERSION = 10
"""Version of the tables that the pinned ML Metadata reads and writes."""

CHECK_SECONDS = 10.0
"""Longest time for the comparison of rows with indexes, after the structure of all pages."""

BUSY_SECONDS = 5.0
"""How long another process may hold the database locked."""


def metadata_file(root: Path) -> Path:
    """Returns the metadata file of a root."""
    return root / "metadata" / "metadata.sqlite"


def backup_file(root: Path) -> Path:
    """Returns the backup of a root's metadata, which every run renews when it ends."""
    return root / "metadata" / "metadata.sqlite.backup"


def check_metadata(root: Path) -> None:
    """Checks that a run may use the metadata of a root; a root without artifacts needs none.

    Args:
        root: the caller holds it exclusively, so that its folders can be written to.

    Raises:
        DamagedMetadataError: the file is missing beside artifacts, or it is not a complete
            database of this version of ML Metadata.
        MetadataError: it cannot be read or written, or another process uses it.
    """
    path = metadata_file(root)
    if is_missing(root):
        return
    if not os.access(path, os.W_OK):
        raise _no_access("write", path)
    with database(root, path, "rw") as connection:
        # A run that was killed while it created the tables leaves none after the rollback.
        tables = table_names(connection)
        if _is_used(root) or tables:
            check_content(root, path, connection)
        # Finds a file system that is full or read-only, and other processes that read or write;
        # rolls back what a killed process left.
        connection.execute("BEGIN EXCLUSIVE")
        removed = remove_dangling_rows(connection) if tables else 0
        connection.execute("COMMIT" if removed else "ROLLBACK")


def is_missing(root: Path) -> bool:
    """Returns whether a root has no metadata and needs none yet.

    Raises:
        DamagedMetadataError: there is none although the root has artifacts, or it is not a file.
        MetadataError: the folder or the file cannot be read, or the file is a link to nothing.
    """
    path = metadata_file(root)
    try:
        status = path.stat()
    except NotADirectoryError:
        raise MetadataError(f"{path.parent} is not a folder: move it away") from None
    except FileNotFoundError:
        if path.is_symlink():  # through which ML Metadata would make a file elsewhere
            raise MetadataError(f"{path}: {describe_access(path)}; remove the link") from None
        if not _is_used(root):
            return True
        problem = f"is missing, although {root} has outputs of earlier runs"
        raise damaged(root, problem) from None
    except OSError:
        raise _no_access("read", path) from None
    if not stat.S_ISREG(status.st_mode):
        kind = "folder" if stat.S_ISDIR(status.st_mode) else "special file"
        raise damaged(root, f"is a {kind}, not a database")
    if not os.access(path, os.R_OK):
        raise _no_access("read", path)
    if _is_empty(path):
        if not _is_used(root):
            return True
        raise damaged(root, f"is empty, although {root} has outputs of earlier runs")
    return False


class Executions(NamedTuple):
    """Distinguishes a metadata file from others, and from older copies of itself.

    Attributes:
        first: when its first execution began, in ms since 1970; 0 without any.
        last: the largest number that an execution has had; 0 without any.
    """

    first: int = 0
    last: int = 0

    def continues(self, earlier: "Executions") -> bool:
        """Returns whether a file with these executions can be a later state of another."""
        return not earlier.first or (self.first == earlier.first and self.last >= earlier.last)


def read_executions(path: Path) -> Executions | None:
    """Reads what identifies a metadata file; None if it cannot be read, as while it is locked."""
    if not path.is_file():
        return Executions()
    try:
        with closing(_connect(path, "ro")) as file:
            first, last = file.execute(
                "SELECT (SELECT CAST(create_time_since_epoch AS INTEGER) FROM Execution "
                "ORDER BY id LIMIT 1), (SELECT CAST(seq AS INTEGER) FROM sqlite_sequence "
                "WHERE name = 'Execution')"
            ).fetchone()
    except sqlite3.Error:
        return None
    return Executions(first or 0, last or 0)


class MetadataGuard:
    """Fails if a metadata file is not a later state of what it was before.

    If it is deleted, ML Metadata makes a new, empty file, in which nothing is found.

    Attributes:
        path: the metadata file.
    """

    def __init__(self, path: Path):
        """Reads the file as it is now."""
        self.path, self._last = path, read_executions(path) or Executions()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Compares the file before and after a block; the error replaces one of the block.

        Raises:
            MetadataError: the file was deleted or replaced.
        """
        self._compare()
        try:
            yield
        finally:
            self._compare()

    def _compare(self) -> None:
        # Not by its inode, which some network file systems change.
        now = read_executions(self.path)
        if now is not None and not now.continues(self._last):
            root = shlex.quote(str(self.path.parents[1]))
            raise MetadataError(
                f"{self.path} was deleted or replaced during the run; put it back, or restore its "
                f"backup with `higgs runs --root {root} --recover`"
            )
        self._last = now or self._last


@contextmanager
def database(root: Path, path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    """Opens a metadata file of a root with SQLite; its errors become sentences.

    Args:
        root: the root, for the remedy.
        path: the metadata file or a copy of it.
        mode: ``ro``, ``rw`` or ``rwc``, as in SQLite's URIs.
    """
    try:
        with closing(_connect(path, mode)) as connection:
            yield connection
    except sqlite3.OperationalError as error:
        raise MetadataError(f"{path}: {error}; {_remedy(str(error), path)}") from None
    except sqlite3.DatabaseError as error:
        raise damaged(root, f"is damaged ({str(error) or 'SQLite cannot read it'})", path) from None


def _connect(path: Path, mode: str, timeout: float = BUSY_SECONDS) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, timeout, uri=True, isolation_level=None)


def check_content(root: Path, path: Path, connection: sqlite3.Connection) -> None:
    """Checks that an open file is a complete database of this version of ML Metadata.

    Raises:
        DamagedMetadataError: it is not.
    """
    problem = _find_damage(connection)
    if problem:
        raise damaged(root, f"is damaged ({problem})", path)
    if missing := set(TABLES) - table_names(connection):
        lacks = f"table {min(missing)}" if len(missing) < len(TABLES) else "tables"
        raise damaged(root, f"is an SQLite database without the {lacks} of ML Metadata", path)
    versions = [version for (version,) in connection.execute("SELECT schema_version FROM MLMDEnv")]
    if versions != [SCHEMA_VERSION]:
        found = ", ".join(map(str, versions)) or "no"
        raise DamagedMetadataError(
            f"{path} has schema version {found} of ML Metadata instead of {SCHEMA_VERSION}",
            "use the release of this project that wrote it, or give another root",
        )
    problem = find_invalid_value(connection) or _find_changed_type(root, path, connection)
    if problem:
        raise damaged(root, f"is damaged ({problem})", path)


def continues_backup(root: Path, path: Path | None = None) -> bool | None:
    """Returns whether a metadata file is a later state of its backup; None if it is not known.

    Args:
        root: the root of the backup.
        path: its metadata file, or a copy of it.
    """
    now, before = read_executions(path or metadata_file(root)), read_executions(backup_file(root))
    return None if now is None or before is None else now.continues(before)


def _find_changed_type(root: Path, path: Path, connection: sqlite3.Connection) -> str:
    """Finds a type of the backup that a later state of it lacks: ML Metadata only adds types."""
    if not continues_backup(root, path):
        return ""
    try:
        with closing(_connect(backup_file(root), "ro")) as backup:
            lost = read_types(backup) - read_types(connection)
    except sqlite3.Error:  # there is no usable backup
        return ""
    return f"the type {min(lost)[0]} of its backup is missing or was changed" if lost else ""


def damaged(root: Path, problem: str, path: Path | None = None) -> DamagedMetadataError:
    """Makes the error of a metadata file that must be restored."""
    backup = backup_file(root)
    source = f"restores {backup.name}" if backup.is_file() else "rebuilds it from the pushed models"
    return DamagedMetadataError(
        f"{path or metadata_file(root)} {problem}",
        f"`higgs runs --root {shlex.quote(str(root))} --recover` {source} and deletes nothing; or "
        "give another root",
    )


def _find_damage(connection: sqlite3.Connection) -> str:
    """Returns the first problem that SQLite finds; empty if there is none."""
    deadline = time.monotonic() + CHECK_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > deadline, 100_000)
    try:
        (result,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if str(error) != "interrupted":
            raise
        result = "ok"
    finally:
        connection.set_progress_handler(None, 0)
    # The first line names the database, which is called "main" in every file.
    return "" if result == "ok" else str(result).splitlines()[-1]


def _is_empty(path: Path) -> bool:
    """Returns whether a file has no content, or is a database without any table."""
    try:
        with closing(_connect(path, "ro", timeout=0)) as file:
            return not table_names(file)
    except sqlite3.Error:  # it is in use or damaged, which is found later
        return False


def _is_used(root: Path) -> bool:
    """Returns whether earlier runs have left artifacts, or a backup of their metadata."""
    try:
        return backup_file(root).exists() or any((root / "artifacts").iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        raise _no_access("read", root / "artifacts") from None


def _no_access(verb: str, path: Path) -> MetadataError:
    return MetadataError(
        f"cannot {verb} {path}: {describe_access(path)}; ask for the permission, or give another "
        "root"
    )


def _remedy(problem: str, path: Path) -> str:
    if "locked" in problem:
        return "another process uses it; try again when it has ended"
    if "readonly" in problem:
        return f"{describe_access(path)}, who must finish what a killed process left: `higgs runs`"
    if "full" in problem:
        return "free some space"
    return f"{describe_access(path)}; check permissions and disk, or give another root"
