"""`higgs runs --recover` on stores that were lost or damaged, or lack pushed models."""

import hashlib
import re
import shutil
import sqlite3
from contextlib import closing

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.metadata import Metadata, sqlite_metadata_connection_config
from tfx.orchestration.portable.mlmd.common_utils import register_type_if_not_exist
from tfx.types.standard_artifacts import PushedModel

from components.pusher.component import SingleVersionPusher
from formats.names import SAVED_MODEL_FILE
from formats.provenance import FILE_NAME, FileHash, Provenance
from pipeline.local_root import RootBusyError, exclusive_use
from pipeline.metadata_backup import reserve_executions, write_backup
from pipeline.metadata_check import check_metadata, metadata_file
from pipeline.metadata_recovery import recover
from pipeline.metadata_store import all_runs, find_pushing_run, find_run, open_store, pushed_models
from pipeline.user_errors import DamagedMetadataError

MODEL_SHA256 = hashlib.sha256(b"model").hexdigest()
DAY = "2026-01-02T03:04:05Z"


def push(directory, version, run, pipeline="higgs", digest=MODEL_SHA256):
    """A pushed version with its provenance."""
    folder = directory / version
    (folder / FILE_NAME).parent.mkdir(parents=True)
    (folder / SAVED_MODEL_FILE).write_bytes(b"model")
    provenance = Provenance(
        version=version,
        pipeline=pipeline,
        run=run,
        pushed_at=DAY,
        code_version="0.1.0",
        packages={"tensorflow": "2.16.2"},
        files={SAVED_MODEL_FILE: FileHash(bytes=5, sha256=digest)},
    )
    (folder / FILE_NAME).write_text(provenance.to_json())


def test_intact_metadata_stays_as_it_is(used_root):
    reserve_executions(used_root)
    before = metadata_file(used_root).read_bytes()
    assert recover(used_root) == [f"{metadata_file(used_root)} is intact"]
    assert metadata_file(used_root).read_bytes() == before


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("UPDATE Type SET name = 'Foo' WHERE name = 'Model'", "Model"),
        ("UPDATE Type SET version = '2' WHERE name = 'node'", "node"),
        ("UPDATE Type SET type_kind = 0 WHERE name = 'Blessing'", "Blessing"),
        ("DELETE FROM Type WHERE name = 'Model'", "Model"),
        ("UPDATE TypeProperty SET data_type = 2", "Blessing.span"),
        ("DELETE FROM TypeProperty", "Blessing.span"),
    ],
)
def test_types_that_were_changed_by_hand_are_restored(used_root, statement, name):
    """TFX would find no input of the old type, or register another one beside it."""
    path = metadata_file(used_root)
    kind = mlmd.ArtifactType(name="Blessing", properties={"span": mlmd.INT})
    open_store(str(path)).put_artifact_type(kind, can_add_fields=True)
    write_backup(used_root)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)

    problem = f"(the type {name} of its backup is missing or was changed)"
    with pytest.raises(DamagedMetadataError, match=re.escape(f"{problem}: `higgs runs --root")):
        check_metadata(used_root)
    with pytest.raises(DamagedMetadataError, match=re.escape(problem)):
        write_backup(used_root)
    assert recover(used_root)[0] == f"{path} is damaged {problem}"
    check_metadata(used_root)
    assert find_pushing_run(str(path), "17").run_id == "2026-01-01"


def test_types_are_compared_only_with_an_earlier_state(used_root, record_in, tmp_path):
    write_backup(used_root)
    store = open_store(str(metadata_file(used_root)))
    store.put_artifact_type(mlmd.ArtifactType(name="New"))
    check_metadata(used_root)
    record_in(tmp_path / "other").put_run("a", Node=("COMPLETE", "model", "/model/1", {}))
    shutil.copy(metadata_file(tmp_path / "other"), metadata_file(used_root))
    check_metadata(used_root)


def test_pushes_since_the_backup_are_recorded_from_their_provenance(used_root):
    write_backup(used_root)
    serving = used_root / "serving"
    push(serving, "18", "2026-01-02")
    push(serving, "19", "")
    push(serving, "20", "2026-01-03", digest="0" * 64)
    (serving / "21").mkdir()
    (serving / "21" / SAVED_MODEL_FILE).touch()
    metadata_file(used_root).unlink()
    lines = recover(used_root)
    assert lines[0] == (
        f"{metadata_file(used_root)} is missing, although {used_root} has outputs of earlier runs"
    )
    assert lines[2:] == [
        f"recorded {serving}/18, pushed by run 2026-01-02",
        f"recorded {serving}/19, pushed by run recovered-19",
        f"{serving}/20 is not recorded: {SAVED_MODEL_FILE} has other content (5 bytes, another "
        "SHA-256)",
        f"{serving}/21 is not recorded: {FILE_NAME} is missing",
    ]
    path = str(metadata_file(used_root))
    runs = list(all_runs(path))
    assert [run.run_id for run in runs] == ["recovered-19", "2026-01-02", "2026-01-01"]
    found = find_pushing_run(path, "18")
    assert found.run_id == "2026-01-02"
    assert found.push.destination == f"{used_root}/serving/18"
    assert found.record.packages == {"tensorflow": "2.16.2"}
    assert {push.version for _, push in pushed_models(open_store(path))} == {"17", "18", "19"}
    assert recover(used_root)[1:] == lines[4:]


def test_a_push_of_a_known_run_joins_that_run(used_root):
    push(used_root / "serving", "18", "2026-01-01")
    before = find_run(str(metadata_file(used_root)), "2026-01-01")
    assert recover(used_root)[1:] == [f"recorded {used_root}/serving/18, pushed by run 2026-01-01"]
    path = str(metadata_file(used_root))
    assert find_pushing_run(path, "18").record == before.record
    assert find_pushing_run(path, "17").run_id == "2026-01-01"


def test_metadata_is_rebuilt_from_pushed_models_without_a_backup(used_root):
    push(used_root / "serving", "18", "2026-01-02")
    metadata_file(used_root).write_bytes(b"garbage")
    lines = recover(used_root)
    assert "no usable backup: created new metadata" in lines
    path = str(metadata_file(used_root))
    assert [push.version for _, push in pushed_models(open_store(path))] == ["18"]
    # Folders of the lost runs are not written to: the largest has the number 12.
    assert find_pushing_run(path, "18").nodes["Pusher"].state == "done"
    assert executions(path) == [13]


def test_tfx_accepts_the_types_that_were_recorded(used_root):
    """With other types, every later run would fail to register its nodes."""
    push(used_root / "serving", "18", "2026-01-02")
    metadata_file(used_root).unlink()
    recover(used_root)
    connection = sqlite_metadata_connection_config(str(metadata_file(used_root)))
    pusher = SingleVersionPusher
    types = [
        PushedModel().artifact_type,
        mlmd.ExecutionType(
            name=f"{pusher.__module__}.{pusher.__name__}", base_type=mlmd.ExecutionType.DEPLOY
        ),
        *(mlmd.ContextType(name=name) for name in ("pipeline", "pipeline_run", "node")),
    ]
    with Metadata(connection) as handle:
        assert all(register_type_if_not_exist(handle, kind).id for kind in types)


def executions(path):
    return [execution.id for execution in open_store(path).get_executions()]


def test_a_push_directory_outside_the_root_is_known_from_earlier_pushes(
    used_root, record_in, tmp_path
):
    shared = tmp_path / "models"
    for version, run, pipeline in (("5", "a", "higgs"), ("6", "b", "higgs"), ("7", "c", "other")):
        push(shared, version, run, pipeline)
    root = tmp_path / "root"
    recorder = record_in(root)
    recorder.put_run(
        "a",
        Pusher=(
            "COMPLETE",
            "pushed_model",
            f"{root}/artifacts/Pusher/pushed_model/1",
            {"pushed": 1, "pushed_version": "5", "pushed_destination": f"{shared}/5"},
        ),
    )
    kind = recorder.store.put_context_type(mlmd.ContextType(name="pipeline"))
    recorder.store.put_contexts([mlmd.Context(type_id=kind, name="higgs")])
    assert recover(root)[1:] == [
        f"recorded {shared}/6, pushed by run b",
        f"{shared}/7 is not recorded: pipeline other pushed it",
    ]


def test_a_moved_root_is_restored_where_it_is_now(used_root):
    write_backup(used_root)
    new = used_root.rename(used_root.with_name("new"))
    metadata_file(new).unlink()
    recover(new)
    [(artifact, found)] = pushed_models(open_store(str(metadata_file(new))))
    assert artifact.uri == f"{new}/artifacts/Pusher/pushed_model/12"
    assert found.destination == f"{new}/serving/17"


def test_a_root_in_use_is_left_alone(used_root):
    metadata_file(used_root).write_bytes(b"garbage")
    with exclusive_use(used_root), pytest.raises(RootBusyError, match="in use by another run"):
        recover(used_root)
    assert metadata_file(used_root).read_bytes() == b"garbage"
