"""Rows that refer to missing rows, as a failed commit of ML Metadata leaves them."""

import sqlite3

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.metadata_check import check_metadata, metadata_file
from pipeline.metadata_store import open_store

COMPLETE, FAILED = mlmd.Execution.COMPLETE, mlmd.Execution.FAILED


@pytest.fixture
def root(tmp_path):
    """A root with one execution in one context, and its output."""
    metadata_file(tmp_path).parent.mkdir()
    store = open_store(str(metadata_file(tmp_path)))
    types = (mlmd.ExecutionType(name="node"), mlmd.ContextType(name="run"))
    node, run = store.put_execution_type(types[0]), store.put_context_type(types[1])
    model = store.put_artifact_type(mlmd.ArtifactType(name="Model"))
    execution = mlmd.Execution(type_id=node, last_known_state=COMPLETE)
    execution.custom_properties["seed"].int_value = 1
    event = mlmd.Event(type=mlmd.Event.OUTPUT)
    event.path.steps.add().key = "model"
    outputs = [(mlmd.Artifact(type_id=model, uri="model/1"), event)]
    store.put_execution(execution, outputs, [mlmd.Context(type_id=run, name="first")])
    return tmp_path


def change(root, statement):
    with sqlite3.connect(metadata_file(root)) as connection:
        rows = connection.execute(statement).fetchall()
    connection.close()
    return rows


def test_what_belongs_together_stays(root):
    before = change(root, "SELECT * FROM Association, Attribution, Event, EventPath")
    assert len(before) == 1
    check_metadata(root)
    assert change(root, "SELECT * FROM Association, Attribution, Event, EventPath") == before
    [execution] = open_store(str(metadata_file(root))).get_executions()
    assert execution.last_known_state == COMPLETE


def test_a_new_execution_does_not_inherit_the_context_of_one_that_was_rolled_back(root):
    change(root, "DELETE FROM Execution")
    change(root, "DELETE FROM sqlite_sequence WHERE name = 'Execution'")
    check_metadata(root)
    store = open_store(str(metadata_file(root)))
    [context] = store.get_contexts()
    node = store.get_execution_type("node").id
    assert store.put_executions([mlmd.Execution(type_id=node)]) == [1]
    assert store.get_executions_by_context(context.id) == []
    assert change(root, "SELECT * FROM EventPath") == []
    assert change(root, "SELECT * FROM ExecutionProperty") == []


def test_an_execution_whose_output_was_rolled_back_has_failed(root):
    change(root, "DELETE FROM Artifact")
    check_metadata(root)
    [execution] = open_store(str(metadata_file(root))).get_executions()
    assert execution.last_known_state == FAILED
    assert change(root, "SELECT * FROM Event") == []
    assert change(root, "SELECT * FROM Attribution") == []
