import sqlite3
from contextlib import closing

import pytest

from formats import names
from pipeline.lineage import find_pushing_run
from pipeline.metadata_repair import remove_dangling_rows
from pipeline.user_errors import RunNotFoundError


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
