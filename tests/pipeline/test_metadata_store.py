"""Reading a run back, from a metadata store written as TFX writes it."""

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from formats.run_outcome import RunRecord
from pipeline.metadata_store import latest_run, pushed_models, write_record


@pytest.fixture
def store(tmp_path):
    return MetadataStore(sqlite_metadata_connection_config(str(tmp_path / "m.sqlite")))


def put_run(store, run_id, state, blessed):
    types = {
        name: store.put_context_type(mlmd.ContextType(name=name))
        for name in ("pipeline_run", "node")
    }
    kind = store.put_execution_type(mlmd.ExecutionType(name="Evaluator"))
    blessing_type = store.put_artifact_type(mlmd.ArtifactType(name="ModelBlessing"))
    artifact = mlmd.Artifact(type_id=blessing_type, uri=f"/blessing/{run_id}")
    artifact.custom_properties["blessed"].int_value = blessed
    event = mlmd.Event(type=mlmd.Event.OUTPUT)
    event.path.steps.add().key = "blessing"
    event.path.steps.add().index = 0
    contexts = [
        mlmd.Context(type_id=types["pipeline_run"], name=run_id),
        mlmd.Context(type_id=types["node"], name="higgs.Evaluator"),
    ]
    store.put_execution(
        mlmd.Execution(type_id=kind, last_known_state=state),
        [(artifact, event)],
        contexts,
        reuse_context_if_already_exist=True,
    )


def test_no_run_yet(store, tmp_path):
    with pytest.raises(LookupError, match="no run of the pipeline in"):
        latest_run(str(tmp_path / "m.sqlite"))


def test_the_newest_run_with_states_and_outputs(store, tmp_path):
    put_run(store, "first", mlmd.Execution.COMPLETE, 0)
    put_run(store, "second", mlmd.Execution.CACHED, 1)
    outcome = latest_run(str(tmp_path / "m.sqlite"))
    assert outcome.run_id == "second"
    assert list(outcome.nodes) == ["Evaluator"]
    assert outcome.nodes["Evaluator"].state == "cached"
    assert outcome.is_cached("Evaluator")
    blessing = outcome.output("Evaluator", "blessing")
    assert blessing.uri == "/blessing/second"
    assert blessing.properties == {"blessed": 1}
    assert outcome.output("Evaluator", "evaluation") is None
    assert outcome.output("Pusher", "pushed_model") is None


def test_a_failed_node(store, tmp_path):
    put_run(store, "first", mlmd.Execution.FAILED, 0)
    assert latest_run(str(tmp_path / "m.sqlite")).nodes["Evaluator"].state == "failed"


def test_pushed_models_are_those_that_were_pushed(store, tmp_path):
    kind = store.put_artifact_type(mlmd.ArtifactType(name="PushedModel"))
    for uri, pushed in (("/yes", 1), ("/no", 0)):
        artifact = mlmd.Artifact(type_id=kind, uri=uri)
        artifact.custom_properties["pushed"].int_value = pushed
        store.put_artifacts([artifact])
    assert [push.uri for push in pushed_models(str(tmp_path / "m.sqlite"))] == ["/yes"]


def test_nothing_was_pushed_before_the_first_run(store, tmp_path):
    assert pushed_models(str(tmp_path / "m.sqlite")) == []


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (mlmd.Execution.RUNNING, "running"),
        (mlmd.Execution.CANCELED, "canceled"),
        (mlmd.Execution.UNKNOWN, "unknown"),
    ],
)
def test_states_claim_no_more_than_the_store_does(store, tmp_path, state, word):
    put_run(store, "first", state, 0)
    assert latest_run(str(tmp_path / "m.sqlite")).nodes["Evaluator"].state == word


def test_record_that_is_damaged_takes_no_run_with_it(store, tmp_path):
    path = str(tmp_path / "m.sqlite")
    put_run(store, "first", mlmd.Execution.COMPLETE, 1)
    write_record(path, "first", RunRecord(code_version="0.1.0"))
    assert latest_run(path).record == RunRecord(code_version="0.1.0")
    (context,) = store.get_contexts_by_type("pipeline_run")
    context.custom_properties["higgs_record"].string_value = "["
    store.put_contexts([context])
    run = latest_run(path)
    assert run.record.fault.startswith("JSONDecodeError: ")
    assert run.output("Evaluator", "blessing").properties == {"blessed": 1}
