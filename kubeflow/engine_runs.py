"""Runs on an engine: the client's interface, polling, and the exit code of a finished run."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from formats import names
from formats.errors import UserError
from pipeline.exit_codes import ExitCode

DECIDING_NODES = {
    names.EXAMPLE_GEN: ExitCode.DATA_REFUSED,
    names.DATA_GATE: ExitCode.DATA_REFUSED,
    names.PUSH_GATE: ExitCode.NOT_BLESSED,
    names.SCORER: ExitCode.DATA_REFUSED,
}
"""Exit code of a run in which this node failed, in the order of precedence."""

OUTAGE_SECONDS = 600.0
"""How long an engine may be unreachable before ``follow`` gives up."""

CREATE_ATTEMPTS = 5

LATE_POLLS = 3
LATE_SECONDS = 5.0
"""Number and interval of further polls of a failed run none of whose nodes has failed yet.

Kubeflow stores the state of a run before the states of its nodes: ``reportWorkflow`` in
backend/src/apiserver/server/report_server.go, 2.0 to 2.17.
"""

CACHED = "cached"
FAILED = "failed"
SKIPPED = "skipped"

_STATUS = re.compile(r"status(?: of)? (\d+)")


class EngineError(UserError, RuntimeError):
    """The engine rejected a request or cannot be reached; the message says what to do.

    Attributes:
        is_transient: whether the same request may succeed later.
    """

    def __init__(self, message: str, *, is_transient: bool = False):
        super().__init__(message)
        self.is_transient = is_transient


@dataclass(frozen=True)
class RunState:
    """State of a run, as the engine reports it.

    Attributes:
        ended: whether the run is over.
        succeeded: whether it ended without a failure.
        canceled: whether someone terminated it, or has asked for that.
        tasks: state of each node, in the engine's words, lower case.
        errors: the engine's error messages by node.
    """

    ended: bool
    succeeded: bool
    canceled: bool = False
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


def create(
    request: Callable[[], str],
    find: Callable[[], str | None],
    attempts: int = CREATE_ATTEMPTS,
    delay: float = 2.0,
) -> str:
    """Creates a run, once, although a request may fail after the engine has accepted it.

    Args:
        request: creates the run under a fixed name; returns its id.
        find: finds a run of that name; returns its id, or None if there is none.
        attempts: maximum number of requests.
        delay: seconds before the second attempt; doubled each time.

    Raises:
        EngineError: the engine rejects the request, or every attempt failed.
    """
    for attempt in range(attempts):
        try:
            # The request is repeated only after the engine has said that there is no such run.
            return (attempt and find()) or request()
        except EngineError as error:
            if not error.is_transient or attempt == attempts - 1:
                raise
        time.sleep(delay * 2**attempt)
    raise AssertionError("unreachable")


def follow(
    runs: Runs, run_id: str, interval: float, outage_seconds: float = OUTAGE_SECONDS
) -> Iterator[RunState]:
    """Polls a run until it ends; yields its state whenever it changes.

    Args:
        runs: the engine's client.
        run_id: the run.
        interval: seconds between two polls.
        outage_seconds: how long polls may fail before this gives up.

    Raises:
        EngineError: polls failed for longer than that, or the engine rejects them for good.
    """
    previous = None
    outage_began = None
    is_canceled = False
    late_polls = 0
    while True:
        try:
            state = runs.state(run_id)
        except EngineError as error:
            if outage_began is None:
                outage_began = time.monotonic()
            if not error.is_transient or time.monotonic() - outage_began > outage_seconds:
                raise
            time.sleep(max(interval, 0.01))
            continue
        outage_began = None
        # A run that is being terminated may end as one that has failed.
        is_canceled = is_canceled or state.canceled
        state = replace(state, canceled=is_canceled)
        if state != previous:
            yield state
        previous = state
        if state.ended:
            if late_polls == LATE_POLLS or _is_explained(state):
                return
            late_polls += 1
        time.sleep(min(interval, LATE_SECONDS) if state.ended else interval)


def _is_explained(state: RunState) -> bool:
    return state.succeeded or state.canceled or FAILED in state.tasks.values()


def exit_code(state: RunState) -> ExitCode:
    """The exit code of `higgs run` for a run that has ended.

    Engines report which nodes failed. A failed gate decides, even if other nodes failed too. But
    a gate can also fail for other reasons than its own, such as a machine that was taken away,
    or because someone terminated the run: if the engine reports the container's exit status,
    that decides.
    """
    if state.succeeded:
        return ExitCode.PUSHED
    if state.canceled:
        return ExitCode.FAILED
    for node, code in DECIDING_NODES.items():
        if state.tasks.get(node) == FAILED:
            status = _STATUS.search(state.errors.get(node, ""))
            return code if status is None or int(status[1]) == code else ExitCode.FAILED
    return ExitCode.FAILED
