"""The record of a run, however it ends."""

import json
import sys

import pytest

from formats.errors import DataRefusedError
from pipeline.config import Config
from pipeline.metadata_store import find_run
from pipeline.run_recording import log_traceback, recorded


@pytest.fixture
def config(recorder, tmp_path):
    recorder.put_run("before", Pusher=("COMPLETE", "pushed_model", "/p/0", {}))
    return Config(data_root="/data", root=str(tmp_path), seed=7)


def put_now(recorder):
    recorder.put_run("now", Trainer=("RUNNING", "model", "/m/1", {}))


def test_run_is_recorded_with_its_configuration(recorder, config):
    with recorded(config):
        put_now(recorder)
    record = find_run(recorder.path, "now").record
    assert json.loads(record.configuration)["seed"] == 7
    assert record.packages["tfx"] == "1.16.0"
    assert ", sources " in record.code_version
    assert (record.ending, record.failure, record.fault) == ("", "", "")
    assert find_run(recorder.path, "before").record.configuration == ""


@pytest.mark.parametrize(
    ("error", "ending", "failure"),
    [
        (DataRefusedError("m_bb <b>"), "refused", "m_bb <b>"),
        (KeyError("x"), "failed", "KeyError: 'x'"),
        (KeyboardInterrupt(), "interrupted", "by Ctrl-C, SIGTERM or SIGHUP; run again to resume"),
    ],
)
def test_run_that_was_cut_short_is_recorded_with_its_reason(
    recorder, config, error, ending, failure
):
    def run():
        with recorded(config):
            put_now(recorder)
            raise error

    with pytest.raises(type(error)):
        run()
    record = find_run(recorder.path, "now").record
    assert (record.ending, record.failure) == (ending, failure)


def test_run_that_left_nothing_leaves_no_record(recorder, config):
    with recorded(config):
        pass
    assert find_run(recorder.path, "before").record.configuration == ""


class FullDisk:
    def write(self, _):
        raise OSError(28, "No space left on device")


def log_failure():
    try:
        raise ValueError("the cause")
    except ValueError:
        log_traceback()


def test_traceback_goes_to_the_log(capsys):
    log_failure()
    assert capsys.readouterr().err.rstrip().endswith("ValueError: the cause")


def test_log_on_a_full_disk_hides_no_failure(monkeypatch):
    monkeypatch.setattr(sys, "stderr", FullDisk())
    log_failure()
