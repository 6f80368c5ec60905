"""`higgs runs --recover` on stores that were lost, damaged or are behind the pushed models."""

import pytest

from formats.names import SAVED_MODEL_FILE
from formats.provenance import FILE_NAME, FileHash, Provenance
from pipeline.lineage import find_pushing_run
from pipeline.local_root import RootBusyError, exclusive_use
from pipeline.metadata_backup import reserve_executions, write_backup
from pipeline.metadata_check import metadata_file
from pipeline.metadata_recovery import recover
from pipeline.metadata_store import all_runs, find_run, open_store, pushed_models

DAY = "2026-01-02T03:04:05Z"


def push(root, version, run):
    """A pushed version with its provenance."""
    folder = root / "serving" / version
    (folder / FILE_NAME).parent.mkdir(parents=True)
    (folder / SAVED_MODEL_FILE).write_bytes(b"model")
    provenance = Provenance(
        version=version,
        pipeline="higgs",
        run=run,
        pushed_at=DAY,
        code_version="0.1.0",
        packages={"tensorflow": "2.16.2"},
        files={SAVED_MODEL_FILE: FileHash(bytes=5, sha256="0" * 64)},
    )
    (folder / FILE_NAME).write_text(provenance.to_json())


def test_intact_metadata_stays_as_it_is(used_root):
    reserve_executions(used_root)
    before = metadata_file(used_root).read_bytes()
    assert recover(used_root) == [f"{metadata_file(used_root)} is intact"]
    assert metadata_file(used_root).read_bytes() == before


def test_pushes_since_the_backup_are_recorded_from_their_provenance(used_root):
    write_backup(used_root)
    push(used_root, "18", "2026-01-02")
    push(used_root, "19", "")
    (used_root / "serving" / "20").mkdir()
    metadata_file(used_root).unlink()
    lines = recover(used_root)
    assert lines[0] == (
        f"{metadata_file(used_root)} is missing, although {used_root} has outputs of earlier runs"
    )
    assert lines[2:] == [
        "version 18 was pushed by run 2026-01-02; recorded",
        "version 19 was pushed by run recovered-19; recorded",
        f"version 20 stays unknown: {FILE_NAME}: No such file or directory",
    ]
    path = str(metadata_file(used_root))
    runs = list(all_runs(path))
    assert [run.run_id for run in runs] == ["recovered-19", "2026-01-02", "2026-01-01"]
    found = find_pushing_run(path, "18")
    assert found.run_id == "2026-01-02"
    assert found.push.destination == f"{used_root}/serving/18"
    assert found.record.packages == {"tensorflow": "2.16.2"}
    assert {push.version for _, push in pushed_models(path)} == {"17", "18", "19"}
    assert recover(used_root)[1:] == lines[4:]


def test_a_push_of_a_known_run_joins_that_run(used_root):
    push(used_root, "18", "2026-01-01")
    before = find_run(str(metadata_file(used_root)), "2026-01-01")
    assert recover(used_root)[1:] == ["version 18 was pushed by run 2026-01-01; recorded"]
    path = str(metadata_file(used_root))
    assert find_pushing_run(path, "18").record == before.record
    assert find_pushing_run(path, "17").run_id == "2026-01-01"


def test_metadata_is_rebuilt_from_pushed_models_without_a_backup(used_root):
    push(used_root, "18", "2026-01-02")
    metadata_file(used_root).write_bytes(b"garbage")
    lines = recover(used_root)
    assert "no usable backup: made new metadata" in lines
    path = str(metadata_file(used_root))
    assert [push.version for _, push in pushed_models(path)] == ["18"]
    # Folders of the lost runs are not written to: the largest has the number 12.
    assert find_pushing_run(path, "18").nodes["Pusher"].state == "done"
    assert executions(path) == [13]


def executions(path):
    return [execution.id for execution in open_store(path).get_executions()]


def test_a_moved_root_is_restored_where_it_is_now(used_root):
    write_backup(used_root)
    new = used_root.rename(used_root.with_name("new"))
    metadata_file(new).unlink()
    recover(new)
    [(uri, found)] = pushed_models(str(metadata_file(new)))
    assert uri == f"{new}/artifacts/Pusher/pushed_model/12"
    assert found.destination == f"{new}/serving/17"


def test_a_root_in_use_is_left_alone(used_root):
    metadata_file(used_root).write_bytes(b"garbage")
    with exclusive_use(used_root), pytest.raises(RootBusyError, match="in use by another run"):
        recover(used_root)
    assert metadata_file(used_root).read_bytes() == b"garbage"
