import shutil

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.metadata_backup import find_damage, reserve_executions, restore_backup, write_backup
from pipeline.metadata_check import backup_file, check_metadata, metadata_file
from pipeline.metadata_store import latest_run, open_store
from pipeline.user_errors import MetadataError


def listed(root):
    return sorted(path.name.split("-20")[0] for path in (root / "metadata").iterdir())


def test_the_backup_holds_every_run_and_nothing_else_is_left(used_root):
    write_backup(used_root)
    assert latest_run(str(backup_file(used_root))).run_id == "2026-01-01"
    assert listed(used_root) == ["metadata.sqlite", "metadata.sqlite.backup"]


def test_damaged_metadata_does_not_replace_the_backup(used_root):
    write_backup(used_root)
    before = backup_file(used_root).read_bytes()
    content = metadata_file(used_root).read_bytes()
    metadata_file(used_root).write_bytes(content[:4096] + b"\xff" * 4096 + content[8192:])
    with pytest.raises(MetadataError, match=r"metadata.*is damaged"):
        write_backup(used_root)
    assert backup_file(used_root).read_bytes() == before
    assert listed(used_root) == ["metadata.sqlite", "metadata.sqlite.backup"]


def test_new_metadata_does_not_replace_the_backup_which_recovery_restores(used_root):
    """Someone has deleted the file during a run, and ML Metadata has made a new one."""
    write_backup(used_root)
    before = backup_file(used_root).read_bytes()
    path = metadata_file(used_root)
    path.unlink()
    open_store(str(path))
    with pytest.raises(MetadataError, match=r"is older than .*, or another root's"):
        write_backup(used_root)
    assert backup_file(used_root).read_bytes() == before
    assert find_damage(used_root) == (
        f"{path} is older than metadata.sqlite.backup, or another root's"
    )
    restore_backup(used_root)
    assert find_damage(used_root) == ""
    assert latest_run(str(path)).run_id == "2026-01-01"


def test_metadata_of_another_root_does_not_replace_the_backup(used_root, record_in, tmp_path):
    """Both have the same number of executions."""
    write_backup(used_root)
    nodes = {f"Node{number}": ("COMPLETE", "model", "/model", {}) for number in range(20)}
    record_in(tmp_path / "other").put_run("2026-02-02", **nodes)
    shutil.copyfile(metadata_file(tmp_path / "other"), metadata_file(used_root))
    with pytest.raises(MetadataError, match=r"is older than .*, or another root's"):
        write_backup(used_root)
    assert reserve_executions(used_root)


def test_a_root_without_metadata_gets_no_backup(tmp_path):
    write_backup(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_intact_metadata_has_no_damage(used_root, tmp_path):
    assert find_damage(used_root) == ""
    assert find_damage(tmp_path / "new") == ""


def test_the_backup_takes_the_place_of_damaged_metadata_which_is_kept(used_root):
    path = metadata_file(used_root)
    write_backup(used_root)
    path.write_bytes(b"garbage")
    assert find_damage(used_root) == f"{path} is damaged (file is not a database)"
    path.with_name(f"{path.name}-journal").write_bytes(b"unfinished")
    kept, journal, restored = restore_backup(used_root)
    assert kept.startswith("kept metadata.sqlite as metadata.sqlite.damaged-20")
    assert journal.startswith("kept metadata.sqlite-journal as metadata.sqlite-journal.damaged-20")
    assert restored.startswith("restored metadata.sqlite.backup of 20")
    check_metadata(used_root)
    assert path.read_bytes() == backup_file(used_root).read_bytes()
    [damaged] = path.parent.glob("metadata.sqlite.damaged-*")
    assert damaged.read_bytes() == b"garbage"
    [unfinished] = path.parent.glob("metadata.sqlite-journal.damaged-*")
    assert unfinished.read_bytes() == b"unfinished"


def test_two_restorations_in_one_second_keep_both_damaged_files(used_root):
    write_backup(used_root)
    for content in (b"first", b"second"):
        metadata_file(used_root).write_bytes(content)
        restore_backup(used_root)
    kept = sorted((used_root / "metadata").glob("metadata.sqlite.damaged-*"))
    assert {file.read_bytes() for file in kept} == {b"first", b"second"}


def test_a_damaged_backup_is_kept_but_not_used(used_root):
    backup_file(used_root).write_bytes(b"no backup")
    metadata_file(used_root).unlink()
    [line] = restore_backup(used_root)
    assert line.startswith("kept metadata.sqlite.backup as metadata.sqlite.backup.damaged-20")
    assert not metadata_file(used_root).exists()


def test_new_executions_avoid_the_folders_of_lost_ones(used_root, record_in, tmp_path):
    # The others are of no execution; SQLite could give no number after these.
    for name in ("41", str(2**63 - 1), "9" * 30, "00x", "²"):
        (used_root / "artifacts" / "Trainer" / "model" / name).mkdir()
    other = tmp_path / "other"
    record_in(other)  # has no execution yet
    (other / "artifacts" / "Trainer" / "model" / "7").mkdir(parents=True)
    backed_up = shutil.copytree(other, tmp_path / "backed up")
    shutil.copyfile(metadata_file(used_root), backup_file(backed_up))
    for root, expected in ((used_root, 42), (other, 8), (backed_up, 13)):
        reserve_executions(root)
        before = metadata_file(root).read_bytes()
        reserve_executions(root)
        assert metadata_file(root).read_bytes() == before
        assert next_execution(root) == expected


def next_execution(root):
    store = open_store(str(metadata_file(root)))
    kind = store.put_execution_type(mlmd.ExecutionType(name="Trainer"))
    (number,) = store.put_executions([mlmd.Execution(type_id=kind)])
    return number
