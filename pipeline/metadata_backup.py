"""The backup of a root's metadata, and its restoration."""

import re
import shutil
import time
from itertools import count
from pathlib import Path

from formats.atomic_files import atomic_path
from pipeline.metadata_check import (
    backup_file,
    check_content,
    continues_backup,
    database,
    is_missing,
    metadata_file,
    read_executions,
)
from pipeline.root_relocation import copy_database
from pipeline.user_errors import DamagedMetadataError, MetadataError

SQLITE_FILES = ("", "-journal", "-wal", "-shm")
"""A database and the files in which SQLite keeps its unfinished transactions, by suffix."""


EXECUTION_NUMBER = re.compile(r"[0-9]{1,15}")
"""The name of an execution's folder; SQLite has no numbers left after much larger ones."""


def write_backup(root: Path) -> None:
    """Writes the backup of a root's metadata with SQLite's online backup.

    The file appears complete or not at all, and never from a damaged database, or from one that
    was replaced by an older or a new one during the run.

    Raises:
        MetadataError: the metadata is damaged or older than the backup, or the backup cannot be
            written.
    """
    if is_missing(root):
        return
    path, backup = metadata_file(root), backup_file(root)
    try:
        with atomic_path(backup) as copy, database(root, path, "rw") as connection:
            if continues_backup(root) is False:
                raise MetadataError(
                    f"{path} is older than {backup}, or another root's, so the backup is kept"
                )
            copy_database(connection, copy)
            with database(root, copy, "rw") as copied:
                check_content(root, copy, copied)
    except OSError as error:
        raise MetadataError(f"cannot write {error.filename}: {error.strerror}") from None


def find_damage(root: Path) -> str:
    """Returns why the metadata of a root must be restored; empty if it is intact.

    Raises:
        MetadataError: the metadata cannot be read.
    """
    try:
        if not is_missing(root):
            path, backup = metadata_file(root), backup_file(root)
            with database(root, path, "rw") as connection:
                check_content(root, path, connection)
                if continues_backup(root) is False:
                    return f"{path} is older than {backup.name}, or another root's"
    except DamagedMetadataError as error:
        return error.problem
    return ""


def restore_backup(root: Path) -> list[str]:
    """Replaces damaged or missing metadata with the backup; keeps the damaged files.

    Without a usable backup there is no metadata file afterwards.

    Returns:
        What was done, one line per file.
    """
    path, backup = metadata_file(root), backup_file(root)
    mark = time.strftime("damaged-%Y%m%d-%H%M%S")
    lines = []
    usable = backup.is_file()
    if usable:
        try:
            with database(root, backup, "ro") as connection:
                check_content(root, backup, connection)
        except DamagedMetadataError:
            usable = False
            lines += _set_aside(backup, mark)
    # An unfinished transaction of the damaged file must not be applied to the restored one.
    for suffix in SQLITE_FILES:
        lines += _set_aside(Path(f"{path}{suffix}"), mark)
    if usable:
        with atomic_path(path) as copy:
            shutil.copyfile(backup, copy)
        written = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(backup.stat().st_mtime))
        lines.append(f"restored {backup.name} of {written}")
    return lines


def reserve_executions(root: Path) -> bool:
    """Makes new executions start above every number of an artifact's folder or of the backup.

    Metadata that was restored does not know the runs since, but their artifacts are on disk, in
    folders with the numbers that would come next: a new node would write into an old folder.

    Returns:
        Whether the metadata does not know such a number, or is another root's.
    """
    if is_missing(root):
        return False
    folders = (root / "artifacts").glob("*/*/*")
    numbers = [int(folder.name) for folder in folders if EXECUTION_NUMBER.fullmatch(folder.name)]
    known, backup = read_executions(metadata_file(root)), read_executions(backup_file(root))
    last = max([*numbers, backup.last if backup else 0])
    is_replaced = continues_backup(root) is False
    if known is None or known.last < last:
        with database(root, metadata_file(root), "rw") as connection:
            statement = "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'Execution'"
            if connection.execute(statement, (last,)).rowcount == 0:
                connection.execute("INSERT INTO sqlite_sequence VALUES ('Execution', ?)", (last,))
        is_replaced = is_replaced or known is not None
    return is_replaced


def keep_backup(root: Path) -> list[str]:
    """Keeps the backup of metadata that was replaced, because the next backup would overwrite it.

    Returns:
        What was done, one line per file.
    """
    return _set_aside(backup_file(root), time.strftime("replaced-%Y%m%d-%H%M%S"))


def _set_aside(path: Path, mark: str) -> list[str]:
    if not path.exists() and not path.is_symlink():
        return []
    places = (path.with_name(f"{path.name}.{mark}-{number}") for number in count(1))
    kept = next(place for place in places if not place.exists())
    path.rename(kept)
    return [f"kept {path.name} as {kept.name}"]
