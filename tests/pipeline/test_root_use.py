import shutil

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline import local_runner
from pipeline.local_root import RootBusyError, exclusive_use
from pipeline.metadata_check import backup_file, metadata_file
from pipeline.metadata_store import latest_run, open_store
from pipeline.root_use import used_by_run
from pipeline.user_errors import DamagedMetadataError


def test_a_run_gets_a_root_that_is_locked_and_relocated_and_leaves_a_backup(used_root, tmp_path):
    copy = shutil.copytree(used_root, tmp_path / "copy")
    with used_by_run(copy) as remarks:
        assert remarks == [f"moved or copied from {used_root}"]
        with pytest.raises(RootBusyError):
            exclusive_use(copy).__enter__()
        assert not backup_file(copy).exists()
    run = latest_run(str(backup_file(copy)))
    assert run.push.destination == f"{copy}/serving/17"
    assert not backup_file(used_root).exists()


def test_metadata_of_an_earlier_day_reuses_no_folder(used_root):
    """Someone has put an old copy of the metadata back: it does not know execution 41."""
    (used_root / "artifacts" / "Trainer" / "model" / "41").mkdir()
    backup_file(used_root).write_text("newer")
    with used_by_run(used_root) as [remark, kept]:
        assert remark.startswith(f"{metadata_file(used_root)} lacks the newest artifacts")
        assert (backup_file(used_root).parent / kept.split()[-1]).read_text() == "newer"
        store = open_store(str(metadata_file(used_root)))
        kind = store.put_execution_type(mlmd.ExecutionType(name="Trainer"))
        assert store.put_executions([mlmd.Execution(type_id=kind)]) == [42]
    with used_by_run(used_root) as remarks:
        assert remarks == []


def test_an_interrupted_run_leaves_a_backup_too(used_root):
    with pytest.raises(KeyboardInterrupt), used_by_run(used_root):
        raise KeyboardInterrupt
    assert latest_run(str(backup_file(used_root))).run_id == "2026-01-01"


def test_a_backup_that_cannot_be_written_does_not_change_the_outcome(used_root, caplog):
    backup_file(used_root).mkdir()
    with used_by_run(used_root):
        pass
    assert "no backup of the metadata: cannot write" in caplog.text


def test_damaged_metadata_is_not_touched_by_a_run(used_root):
    metadata_file(used_root).write_bytes(b"garbage")
    with pytest.raises(DamagedMetadataError), used_by_run(used_root):
        pytest.fail("the run was started")
    assert metadata_file(used_root).read_bytes() == b"garbage"
    assert not backup_file(used_root).exists()


def test_a_run_by_tfx_itself_gets_the_same_sentence(used_root, monkeypatch, tmp_path):
    """`tfx run create` starts the runner's file, whose errors end it with a message."""
    for split in ("training", "validation"):
        (tmp_path / "data" / split).mkdir(parents=True)
        (tmp_path / "data" / split / "shard-0.tfrecord").touch()
    config = tmp_path / "run.yaml"
    config.write_text(f"data_root: {tmp_path / 'data'}\nroot: {used_root}\n")
    monkeypatch.setenv("HIGGS_CONFIG", str(config))
    metadata_file(used_root).unlink()
    with pytest.raises(SystemExit, match=r"^DamagedMetadataError: .* is missing, .*--recover`"):
        local_runner.main()
    assert not metadata_file(used_root).exists()
