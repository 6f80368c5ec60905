"""How `higgs run` reports each ending of a run; complete runs are in tests/e2e."""

from io import StringIO

import pytest
from rich.console import Console

from formats.errors import DataRefusedError
from formats.run_outcome import NodeRun, Output, RunOutcome
from pipeline import local_run
from pipeline.config import Config
from pipeline.exit_codes import ExitCode

CONFIG = Config(data_root="/data", root="/root")


def end_with(error, monkeypatch):
    def fail(config):
        from absl import logging

        logging.info("Component %s is running.", "Trainer")
        raise error

    monkeypatch.setattr(local_run.local_runner, "run", fail)
    screen = StringIO()
    code = local_run.run(CONFIG, Console(file=screen, width=100, markup=False, soft_wrap=True))
    return code, screen.getvalue()


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            DataRefusedError("m_bb [NaN]"),
            ExitCode.DATA_REFUSED,
            "DATA REFUSED by Trainer\nm_bb [NaN]",
        ),
        (
            ValueError("no [/b] here"),
            ExitCode.FAILED,
            "FAILED in Trainer: ValueError: no [/b] here",
        ),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, "INTERRUPTED in Trainer; run again to resume"),
    ],
)
def test_an_ending_names_the_node_and_the_reason(error, code, message, monkeypatch):
    exit_code, output = end_with(error, monkeypatch)
    assert exit_code == code
    assert message in output


def outcome(pushed):
    properties = {"pushed": 1, "pushed_version": "7", "pushed_destination": "/serving/7"}
    output = Output("/pushed", properties if pushed else {"pushed": 0})
    return RunOutcome("id", {"Pusher": NodeRun("Pusher", "cached", 1.0, {"pushed_model": output})})


def test_a_cached_push_is_said_to_be_an_earlier_one():
    screen = StringIO()
    assert (
        local_run.print_outcome(outcome(pushed=True), Console(file=screen, soft_wrap=True))
        == ExitCode.PUSHED
    )
    assert "PUSHED version 7, by an earlier run; nothing changed since" in screen.getvalue()


def test_no_push_is_not_blessed():
    screen = StringIO()
    assert (
        local_run.print_outcome(outcome(pushed=False), Console(file=screen, soft_wrap=True))
        == ExitCode.NOT_BLESSED
    )
    assert "NOT PUSHED" in screen.getvalue()


def test_a_push_stays_a_push_when_its_evaluation_cannot_be_read(tmp_path):
    run = outcome(pushed=True)
    evaluation = Output(str(tmp_path / "gone"), {})
    nodes = {**run.nodes, "Evaluator": NodeRun("Evaluator", "ok", 1.0, {"evaluation": evaluation})}
    screen = StringIO()
    code = local_run.print_outcome(
        RunOutcome("id", nodes), Console(file=screen, width=200, soft_wrap=True)
    )
    assert code == ExitCode.PUSHED
    assert "AUC         not read: " in screen.getvalue()
    assert f"evaluation  {evaluation.uri}" in screen.getvalue()


def test_a_refusal_stays_a_refusal_when_its_reason_cannot_be_read(tmp_path):
    refused = Output(str(tmp_path / "gone"), {"blessed": 0})
    nodes = {
        **outcome(pushed=False).nodes,
        "ServingCheck": NodeRun("ServingCheck", "ok", 1.0, {"blessing": refused}),
    }
    screen = StringIO()
    code = local_run.print_outcome(
        RunOutcome("id", nodes), Console(file=screen, width=200, soft_wrap=True)
    )
    assert code == ExitCode.NOT_BLESSED
    assert "serving check: FAILED, and its reason was not read: " in screen.getvalue()
