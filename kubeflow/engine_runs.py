"""Runs on an engine: the client's interface, polling, and the exit code of a finished run."""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from formats import names
from pipeline.exit_codes import ExitCode

FAILURE_CODES = {
    names.EXAMPLE_GEN: ExitCode.DATA_REFUSED,
    names.DATA_GATE: ExitCode.DATA_REFUSED,
    names.PUSH_GATE: ExitCode.NOT_BLESSED,
}
"""Exit code of a run in which only this node failed."""

MAX_POLL_ERRORS = 5
"""Consecutive polling errors after which ``follow`` gives up."""

_STATUS = re.compile(r"status(?: of)? (\d+)")


class EngineError(RuntimeError):
    """The engine rejected a request or cannot be reached; the message says what to do."""


@dataclass(frozen=True)
class RunState:
    """State of a run, as the engine reports it.

    Attributes:
        ended: whether the run is over.
        succeeded: whether it ended without a failure.
        tasks: state of each task, in the engine's words, lower case.
        errors: the engine's error messages by task.
    """

    ended: bool
    succeeded: bool
    tasks: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


class Runs(Protocol):
    """Client for one pipeline's runs on an engine.

    Every method raises ``EngineError`` if the engine rejects the request or cannot be reached.
    """

    def submit(self, file: Path) -> str:
        """Starts a run of a compiled file, or a schedule; returns its id."""

    def link(self, run_id: str) -> str:
        """URL of the run's page."""

    def state(self, run_id: str) -> RunState:
        """Current state of the run."""


def follow(runs: Runs, run_id: str, interval: float) -> Iterator[RunState]:
    """Polls a run until it ends; yields its state whenever it changes.

    Args:
        runs: the engine's client.
        run_id: the run.
        interval: seconds between two polls.

    Raises:
        EngineError: ``MAX_POLL_ERRORS`` polls in a row failed.
    """
    previous = None
    while True:
        state = _poll(runs, run_id, interval)
        if state != previous:
            yield state
        if state.ended:
            return
        previous = state
        time.sleep(interval)


def exit_code(state: RunState) -> ExitCode:
    """The exit code of `higgs run` for a run that has ended.

    Engines report which tasks failed. A gate can also fail for other reasons, such as a
    machine that was taken away: if the engine reports the container's exit status, that
    decides.
    """
    if state.succeeded:
        return ExitCode.PUSHED
    failed_tasks = [name for name, task_state in state.tasks.items() if task_state == "failed"]
    if len(failed_tasks) != 1:
        return ExitCode.FAILED
    code = FAILURE_CODES.get(failed_tasks[0], ExitCode.FAILED)
    status = _STATUS.search(state.errors.get(failed_tasks[0], ""))
    return code if status is None or int(status[1]) == code else ExitCode.FAILED


def _poll(runs: Runs, run_id: str, interval: float) -> RunState:
    for _ in range(MAX_POLL_ERRORS - 1):
        with suppress(EngineError):
            return runs.state(run_id)
        time.sleep(interval)
    return runs.state(run_id)
