"""Runs on an engine: the client's interface, polling, and the exit code of a finished run."""

import re
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from formats import names
from formats.errors import UserError
from pipeline.cloud_config import RemoteConfig
from pipeline.config import Config
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
CREATE_SECONDS = 2.0
"""Maximum number of requests to create a run, and time before the second; doubled each time."""

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
        is_login: whether there is no valid login.
    """

    def __init__(self, message: str, *, is_transient: bool = False, is_login: bool = False):
        super().__init__(message)
        self.is_transient, self.is_login = is_transient, is_login


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


class EngineRuns(ABC):
    """Client for one pipeline's runs on an engine.

    A login that was valid when the client was made may expire while a run is followed: it is
    renewed, and its errors are transient.
    """

    client_errors: tuple[type[Exception], ...]
    """Errors of the engine's own client."""

    unknown_run: str
    """Why a run is not found, and what to compare."""

    def __init__(self, config: Config, section: RemoteConfig):
        """Connects to the engine.

        Args:
            config: the configuration.
            section: its section for this engine.

        Raises:
            EngineError: there are no credentials, or the engine does not answer.
        """
        self._config, self._section = config, section
        self._was_allowed = False
        self._connect()

    def submit(self, file: Path) -> str:
        """Starts a run of a compiled file, or a schedule if the configuration has one.

        Returns:
            Its id.

        Raises:
            EngineError: the engine rejects it, or cannot be reached.
        """
        # Unique, because a creation that was not answered is recognized by this name.
        name = f"{self._config.name}-{datetime.now():%Y%m%d%H%M%S}-{secrets.token_hex(3)}"
        run_id = create(lambda: self._create(file, name), find=lambda: self._find(name))
        self._was_allowed = True
        return run_id

    def state(self, run_id: str) -> RunState:
        """Current state of a run.

        Raises:
            EngineError: the engine rejects the request, or cannot be reached.
        """
        try:
            with self._described(self.unknown_run):
                state = self._state(run_id)
        except EngineError as error:
            if error.is_transient and error.is_login:
                # The next poll uses the credentials that are valid by then.
                self._connect()
            raise
        self._was_allowed = True
        return state

    @contextmanager
    def _described(self, hint: str = "") -> Iterator[None]:
        """Describes the errors of the engine's client; see ``_engine_error``."""
        try:
            yield
        except self.client_errors as error:
            raise self._engine_error(error, hint) from None

    @abstractmethod
    def link(self, run_id: str) -> str:
        """URL of the page of a run, or of a schedule."""

    @abstractmethod
    def _connect(self) -> None:
        """Makes a client with the credentials that are valid now."""

    @abstractmethod
    def _create(self, file: Path, name: str) -> str:
        """Starts a run or a schedule under a name; returns its id."""

    @abstractmethod
    def _find(self, name: str) -> str | None:
        """Finds a run or a schedule by its name, in case the answer to its creation was lost."""

    @abstractmethod
    def _state(self, run_id: str) -> RunState:
        """Requests the state of a run."""

    @abstractmethod
    def _engine_error(self, error: Exception, hint: str) -> EngineError:
        """Describes an error; the hint is for one that says that something does not exist."""


def create(request: Callable[[], str], find: Callable[[], str | None]) -> str:
    """Creates a run, once, although a request may fail after the engine has accepted it.

    Args:
        request: creates the run under a fixed name; returns its id.
        find: finds a run of that name; returns its id, or None if there is none.

    Raises:
        EngineError: the engine rejects the request, or every attempt failed.
    """
    for attempt in range(CREATE_ATTEMPTS - 1):
        try:
            # The request is repeated only after the engine has said that there is no such run.
            return (attempt and find()) or request()
        except EngineError as error:
            if not error.is_transient:
                raise
        time.sleep(CREATE_SECONDS * 2**attempt)
    return find() or request()


def follow(runs: EngineRuns, run_id: str, interval: float) -> Iterator[RunState]:
    """Polls a run until it ends; yields its state whenever it changes.

    Args:
        runs: the engine's client.
        run_id: the run.
        interval: seconds between two polls.

    Raises:
        EngineError: polls failed for ``OUTAGE_SECONDS``, or the engine rejects them for good.
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
            if not error.is_transient or time.monotonic() - outage_began > OUTAGE_SECONDS:
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
