"""Artifacts and pushes of earlier releases, which have no manifests; real runs are next to this."""

import logging

import pytest

from pipeline import metadata_store
from pipeline.artifact_records import ArtifactRecords
from pipeline.damaged_artifacts import forget_damaged

PUSH = {"pushed": 1, "pushed_version": "17"}


def key(recorder, node="Pusher"):
    """A context of the node's executions, as that of a cache key is."""
    return recorder.store.get_context_by_type_and_name("node", f"higgs.{node}").id


def reusable(recorder, node="Pusher"):
    outputs = metadata_store.reusable_outputs(recorder.store, key(recorder, node))
    return [output.uri for output in outputs.values()]


@pytest.fixture
def forget(recorder, tmp_path, caplog):
    """Forgets what is damaged; returns the messages."""

    def run():
        caplog.clear()
        with caplog.at_level(logging.INFO, "higgs.artifacts"):
            forget_damaged(recorder.store, ArtifactRecords(str(tmp_path)), "Pusher", key(recorder))
        own = (record for record in caplog.records if record.name == "higgs.artifacts")
        return [record.getMessage() for record in own]

    return run


def put_push(recorder, destination, run="1"):
    properties = {**PUSH, "pushed_destination": str(destination)}
    recorder.put_run(run, Pusher=("COMPLETE", "pushed_model", f"/pushed/{run}", properties))


def test_a_push_without_manifest_is_forgotten_if_its_model_is_gone(recorder, forget, tmp_path):
    version = tmp_path / "serving" / "17"
    version.mkdir(parents=True)
    (version / "saved_model.pb").touch()
    put_push(recorder, version)
    assert forget() == []
    assert reusable(recorder) == ["/pushed/1"]
    (version / "saved_model.pb").unlink()
    assert forget() == [
        f"version 17 in {version} is damaged (saved_model.pb is missing); "
        "Pusher will push the model again"
    ]
    assert reusable(recorder) == []
    # It is said once, and the push stays in the lineage.
    assert forget() == []
    assert [push.version for _, push in metadata_store.pushed_models(recorder.store)] == ["17"]


def test_each_push_that_is_gone_is_named_once(recorder, forget, tmp_path):
    for number in range(3):
        put_push(recorder, tmp_path / "serving" / str(number), run=str(number))
    messages = forget()
    assert [str(tmp_path / "serving" / str(number)) in messages[number] for number in range(3)]
    assert len(messages) == 3
    assert forget() == []


def test_outputs_of_failed_executions_are_not_reusable(recorder):
    for number, state in (("1", "COMPLETE"), ("2", "CACHED"), ("3", "FAILED")):
        recorder.put_run(number, Trainer=(state, "model", f"/model/{number}", {}))
    assert reusable(recorder, "Trainer") == ["/model/1", "/model/2"]
