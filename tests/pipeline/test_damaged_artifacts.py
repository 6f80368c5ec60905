"""Artifacts and pushes of earlier releases, which have no manifests; real runs are next to this."""

import logging

import pytest

from pipeline import metadata_store
from pipeline.artifact_records import ArtifactRecords
from pipeline.damaged_artifacts import forget_damaged

PUSH = {"pushed": 1, "pushed_version": "17"}


@pytest.fixture
def forget(recorder, tmp_path, caplog):
    """Forgets what is damaged; returns the messages."""

    def run():
        caplog.clear()
        with caplog.at_level(logging.INFO, "higgs.artifacts"):
            forget_damaged(recorder.path, ArtifactRecords(str(tmp_path)), "higgs", ["Pusher"])
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
    assert len(metadata_store.live_outputs(recorder.path, "higgs", "Pusher").artifacts) == 1
    (version / "saved_model.pb").unlink()
    assert forget() == [
        f"version 17 in {version} is damaged (saved_model.pb is missing); "
        "Pusher will push the model again"
    ]
    assert metadata_store.live_outputs(recorder.path, "higgs", "Pusher").artifacts == {}
    # It is said once, and the push stays in the lineage.
    assert forget() == []
    assert [push.version for _, push in metadata_store.pushed_models(recorder.path)] == ["17"]


def test_many_older_pushes_that_are_gone_are_counted(recorder, forget, tmp_path):
    for number in range(6):
        put_push(recorder, tmp_path / "serving" / str(number), run=str(number))
    newest, *older = forget()
    assert newest.startswith(f"version 17 in {tmp_path}/serving/5 is damaged (saved_model.pb is m")
    assert newest.endswith("; Pusher will push the model again")
    assert [line.endswith("again, when it is needed") for line in older] == [True] * 3 + [False]
    assert older[-1] == "so are 2 more older outputs of Pusher"
    assert forget() == []


def test_a_root_where_nothing_has_run_has_nothing_to_forget(recorder, forget):
    assert forget() == []


def test_the_newest_outputs_are_those_of_the_last_successful_run(recorder, tmp_path):
    for number, state in (("1", "COMPLETE"), ("2", "CACHED"), ("3", "FAILED")):
        output = (state, "model", f"/model/{number}", {})
        recorder.put_run(number, Trainer=output)
    outputs = metadata_store.live_outputs(recorder.path, "higgs", "Trainer")
    assert [output.uri for output in outputs.artifacts.values()] == ["/model/1", "/model/2"]
    assert [outputs.artifacts[number].uri for number in outputs.newest] == ["/model/2"]
    assert metadata_store.live_outputs(recorder.path, "other", "Trainer").artifacts == {}
