"""Runs read back from a metadata store that was written as TFX writes it."""

import sqlite3
from contextlib import closing

import pytest

from formats import names
from formats.run_outcome import RunRecord
from pipeline.metadata_content import remove_dangling_rows
from pipeline.metadata_store import find_pushing_run, latest_run, pushed_models, write_record
from pipeline.user_errors import RunNotFoundError


def put_blessing(recorder, run_id, state="COMPLETE", blessed=1):
    blessing = (state, "blessing", f"/blessing/{run_id}", {"blessed": blessed})
    recorder.put_run(run_id, Evaluator=blessing)


def test_no_run_yet(recorder):
    with pytest.raises(RunNotFoundError, match="no run of the pipeline is recorded"):
        latest_run(recorder.path)


def test_the_newest_run_with_states_and_outputs(recorder):
    put_blessing(recorder, "first", blessed=0)
    put_blessing(recorder, "second", state="CACHED")
    outcome = latest_run(recorder.path)
    assert outcome.run_id == "second"
    assert list(outcome.nodes) == ["Evaluator"]
    assert outcome.is_cached("Evaluator")
    blessing = outcome.output(names.BLESSING)
    assert blessing.uri == "/blessing/second"
    assert blessing.properties == {"blessed": 1}
    assert outcome.output(names.EVALUATION) is None
    assert outcome.output(names.PUSHED_MODEL) is None


@pytest.mark.parametrize(
    ("stored", "state"),
    [
        ("COMPLETE", "done"),
        ("CACHED", "cached"),
        ("FAILED", "failed"),
        ("RUNNING", "running"),
        ("CANCELED", "canceled"),
        ("UNKNOWN", "unknown"),
    ],
)
def test_states_claim_no_more_than_the_store_does(recorder, stored, state):
    put_blessing(recorder, "first", state=stored)
    assert latest_run(recorder.path).nodes["Evaluator"].state == state


def test_pushed_models_are_those_that_were_pushed(pushed_twice):
    [(artifact, push)] = pushed_models(pushed_twice.store)
    assert artifact.uri == "/pushed/1"
    assert (push.version, push.destination) == ("17", "/serving/17")


def test_nothing_was_pushed_before_the_first_run(recorder):
    assert pushed_models(recorder.store) == []


def test_a_damaged_record_does_not_hide_its_run(recorder):
    put_blessing(recorder, "first")
    write_record(recorder.path, "first", RunRecord(code_version="0.1.0"))
    assert latest_run(recorder.path).record == RunRecord(code_version="0.1.0")
    (context,) = recorder.store.get_contexts_by_type("pipeline_run")
    context.custom_properties["higgs_record"].string_value = "["
    recorder.store.put_contexts([context])
    run = latest_run(recorder.path)
    assert "Invalid JSON" in run.record.fault
    assert run.output(names.BLESSING).is_blessed


@pytest.mark.parametrize("statement", ["DELETE FROM EventPath", "DELETE FROM Association"])
def test_a_run_is_read_without_what_a_failed_commit_has_lost(recorder, statement):
    put_blessing(recorder, "first")
    with closing(sqlite3.connect(recorder.path)) as connection, connection:
        connection.execute(statement)
    outcome = latest_run(recorder.path)
    assert outcome.run_id == "first"
    assert outcome.output(names.BLESSING) is None


def test_the_run_that_pushed_is_found_rather_than_one_with_a_cached_push(pushed_twice):
    run = find_pushing_run(pushed_twice.path, "17")
    assert run.run_id == "2026-01-01"
    assert run.uri(names.PUSHED_MODEL) == "/pushed/1"
    assert run.uri(names.EXAMPLES) == "/examples/1"


def test_version_that_was_never_pushed_names_those_that_were(pushed_twice):
    with pytest.raises(RunNotFoundError, match=r"no version '18' was pushed; known here: 17$"):
        find_pushing_run(pushed_twice.path, "18")


def test_no_version_is_known_where_nothing_was_pushed(recorder):
    recorder.put_run("r", Pusher=("COMPLETE", "pushed_model", "/p", {"pushed": 0}))
    with pytest.raises(RunNotFoundError, match="known here: none"):
        find_pushing_run(recorder.path, "")


@pytest.mark.parametrize("lost", ["Event", "Association", "Context"])
def test_what_a_failed_commit_lost_is_reported(pushed_twice, lost):
    with closing(sqlite3.connect(pushed_twice.path)) as connection, connection:
        connection.execute(f"DELETE FROM {lost}")  # noqa: S608
        remove_dangling_rows(connection)
    with pytest.raises(RunNotFoundError, match=r"the run that pushed version 17 is not recorded;"):
        find_pushing_run(pushed_twice.path, "17")
