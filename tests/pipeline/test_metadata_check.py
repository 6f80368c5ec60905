"""Metadata files that a run must not use: each gets one sentence, and nothing is changed."""

import os
import shutil
import sqlite3

import pytest

from pipeline import metadata_check
from pipeline.metadata_backup import find_damage, write_backup
from pipeline.metadata_check import (
    SCHEMA_VERSION,
    Executions,
    backup_file,
    check_metadata,
    metadata_file,
)
from pipeline.root_relocation import read_metadata
from pipeline.root_use import used_by_run
from pipeline.user_errors import DamagedMetadataError, MetadataError


def execute(path, *statements):
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def tear(path):
    """Overwrites the second page: the header stays valid."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)


def replace_by(make):
    def damage(path):
        path.unlink()
        make(path)

    return damage


DAMAGES = {
    "garbage": (
        lambda path: path.write_bytes(b"garbage" * 999),
        "is damaged (file is not a database)",
    ),
    "cut in a page": (lambda path: os.truncate(path, 5000), "is damaged (database disk image is"),
    "cut in the header": (lambda path: os.truncate(path, 50), "is damaged (database disk image is"),
    "torn page": (tear, "is damaged (Page 2: "),
    "empty": (lambda path: os.truncate(path, 0), "is empty, although"),
    "missing": (os.unlink, "is missing, although"),
    "folder": (replace_by(os.mkdir), "is a folder, not a database"),
    "pipe": (replace_by(os.mkfifo), "is a special file, not a database"),
    "older": (
        lambda path: execute(path, "UPDATE MLMDEnv SET schema_version = 9"),
        f"has schema version 9 of ML Metadata instead of {SCHEMA_VERSION}: use the release of",
    ),
    "newer": (
        lambda path: execute(path, "UPDATE MLMDEnv SET schema_version = 11"),
        f"has schema version 11 of ML Metadata instead of {SCHEMA_VERSION}: use the release of",
    ),
    "two versions": (
        lambda path: execute(path, "INSERT INTO MLMDEnv VALUES (11)"),
        "has schema version 10, 11 of ML Metadata",
    ),
    "no version": (lambda path: execute(path, "DELETE FROM MLMDEnv"), "has schema version no"),
    "a table is lost": (
        lambda path: execute(path, "DROP TABLE EventPath"),
        "is an SQLite database without the table EventPath of ML Metadata",
    ),
    # With these, ML Metadata ends the process, or TFX fails with a stack trace.
    "text for a number": (
        lambda path: execute(path, "UPDATE Artifact SET create_time_since_epoch = 'abc'"),
        "is damaged (Artifact.create_time_since_epoch in row 1 is not a number)",
    ),
    "not UTF-8": (
        lambda path: execute(path, "UPDATE Artifact SET uri = CAST(x'ff41' AS TEXT)"),
        "is damaged (Artifact.uri in row 1 is not text)",
    ),
    "bytes for text": (
        lambda path: execute(path, "UPDATE Context SET name = x'41' WHERE id = 2"),
        "is damaged (Context.name in row 2 is not text)",
    ),
    "other program's": (
        replace_by(lambda path: execute(path, "CREATE TABLE x(y)")),
        "is an SQLite database without the tables of ML Metadata",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_metadata_is_named_with_the_remedy(used_root, damage):
    spoil, problem = DAMAGES[damage]
    path = metadata_file(used_root)
    spoil(path)
    content = path.read_bytes() if path.is_file() else None
    for use in (check_metadata, lambda root: read_metadata(root).__enter__()):
        if damage in ("missing", "folder", "pipe", "empty") and use is not check_metadata:
            use = metadata_check.is_missing
        with pytest.raises(DamagedMetadataError) as error:
            use(used_root)
        assert str(error.value).startswith(f"{path} {problem}"), error.value
        assert "\n" not in str(error.value)
        assert "give another root" in str(error.value)
        if "schema version" not in problem:
            assert f"`higgs runs --root '{used_root}' --recover` rebuilds" in str(error.value)
    assert (path.read_bytes() if path.is_file() else None) == content


def test_the_backup_is_named_where_there_is_one(used_root):
    shutil.copy(metadata_file(used_root), backup_file(used_root))
    metadata_file(used_root).unlink()
    with pytest.raises(DamagedMetadataError, match=r"--recover` restores metadata\.sqlite\.backup"):
        check_metadata(used_root)


def test_intact_metadata_passes_and_is_not_written(used_root):
    before = metadata_file(used_root).stat().st_mtime_ns
    check_metadata(used_root)
    assert metadata_file(used_root).stat().st_mtime_ns == before


def test_a_new_root_needs_no_metadata(tmp_path):
    check_metadata(tmp_path / "new")
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "metadata").mkdir()
    path = metadata_file(tmp_path)
    for make in (path.touch, lambda: execute(path, "CREATE TABLE x(y)", "DROP TABLE x")):
        make()
        with used_by_run(tmp_path) as remarks:
            assert remarks == []
        assert not backup_file(tmp_path).exists()
    (tmp_path / "artifacts" / "Trainer").mkdir()
    with pytest.raises(DamagedMetadataError, match="is empty, although"):
        check_metadata(tmp_path)


def kill_during(path, *statements):
    """Leaves a file and its journal as a process does that is killed before it commits."""
    journal = path.with_name(f"{path.name}-journal")
    connection = sqlite3.connect(path, isolation_level=None)
    # Every page goes to the file at once.
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("BEGIN")
    for statement in statements:
        connection.execute(statement)
    torn, unfinished = path.read_bytes(), journal.read_bytes()
    connection.close()
    intact = path.read_bytes()
    assert torn != intact
    path.write_bytes(torn)
    journal.write_bytes(unfinished)
    return intact


def test_what_a_killed_process_left_is_rolled_back(used_root):
    path = metadata_file(used_root)
    intact = kill_during(path, "UPDATE Artifact SET uri = zeroblob(9000) || uri")
    check_metadata(used_root)
    # The header counts changes.
    assert path.read_bytes()[100:] == intact[100:]
    assert not path.with_name(f"{path.name}-journal").exists()


def test_a_root_whose_first_run_was_killed_at_once_is_new(tmp_path):
    path = metadata_file(tmp_path)
    path.parent.mkdir()
    kill_during(path, "CREATE TABLE Artifact(uri)", "INSERT INTO Artifact VALUES (zeroblob(99999))")
    check_metadata(tmp_path)
    assert path.read_bytes() == b""


def test_a_root_whose_metadata_a_killed_process_began_anew_is_damaged(tmp_path):
    path = metadata_file(tmp_path)
    path.parent.mkdir()
    (tmp_path / "artifacts" / "Trainer").mkdir(parents=True)
    kill_during(path, "CREATE TABLE Artifact(uri)", "INSERT INTO Artifact VALUES (zeroblob(99999))")
    with pytest.raises(DamagedMetadataError, match="without the tables of ML Metadata"):
        check_metadata(tmp_path)


@pytest.mark.parametrize("use", ["BEGIN EXCLUSIVE", "BEGIN IMMEDIATE", "BEGIN"])
def test_a_database_in_use_by_another_program_is_waited_for_and_named(used_root, monkeypatch, use):
    """A program that only reads lets a run begin, and no node of it write."""
    monkeypatch.setattr(metadata_check, "BUSY_SECONDS", 0.1)
    other = sqlite3.connect(metadata_file(used_root), isolation_level=None)
    other.execute(use)
    other.execute("SELECT count(*) FROM Artifact").fetchone()
    with pytest.raises(MetadataError, match=r"database is locked; another process uses it"):
        check_metadata(used_root)
    other.close()


def test_the_check_of_a_large_file_is_bounded(used_root, monkeypatch):
    rows = (
        "INSERT INTO big WITH RECURSIVE n(i) AS "
        "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) SELECT i FROM n"
    )
    execute(
        metadata_file(used_root),
        "CREATE TABLE big(a)",
        rows,
        "CREATE INDEX by_a ON big(a)",
    )
    looks = []
    monkeypatch.setattr(metadata_check.time, "monotonic", lambda: looks.append(1) or len(looks))
    monkeypatch.setattr(metadata_check, "CHECK_SECONDS", 0)
    check_metadata(used_root)
    # The deadline is set, and passed at the first look.
    assert len(looks) == 2


@pytest.mark.parametrize(("verb", "denied"), [("read", os.R_OK), ("write", os.W_OK)])
def test_metadata_that_may_not_be_used_names_the_owner(used_root, monkeypatch, verb, denied):
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & denied and allowed(path, mode))
    with pytest.raises(MetadataError, match=rf"cannot {verb} .*: it belongs to \w+, mode 0\d+;"):
        check_metadata(used_root)


@pytest.mark.parametrize("use", [check_metadata, write_backup, find_damage])
def test_no_file_is_made_through_a_link_to_nothing(tmp_path, use):
    (tmp_path / "metadata").mkdir()
    metadata_file(tmp_path).symlink_to("../../elsewhere")
    with pytest.raises(MetadataError, match=r"\.sqlite: it is a link to .*; remove the link"):
        use(tmp_path)


def test_an_error_of_the_disk_does_not_end_the_check_of_the_structure():
    class Connection(sqlite3.Connection):
        def execute(self, *_):
            raise sqlite3.OperationalError("disk I/O error")

    with pytest.raises(sqlite3.OperationalError, match=r"disk I/O error"):
        metadata_check._find_damage(sqlite3.connect(":memory:", factory=Connection))


def test_metadata_that_is_not_a_folder_is_named(tmp_path):
    (tmp_path / "metadata").touch()
    with pytest.raises(MetadataError, match="metadata is not a folder: move it away"):
        check_metadata(tmp_path)


@pytest.mark.parametrize(
    ("now", "earlier", "continues"),
    [
        ((5, 3), (5, 3), True),
        ((5, 4), (5, 3), True),
        ((5, 2), (5, 3), False),
        ((6, 4), (5, 3), False),
        ((6, 1), (0, 0), True),
        ((0, 0), (5, 3), False),
    ],
)
def test_a_later_state_has_the_first_execution_and_no_fewer(now, earlier, continues):
    assert Executions(*now).continues(Executions(*earlier)) is continues
