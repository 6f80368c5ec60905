"""A run on an engine: what is asked of it, how it is followed, and how it ended."""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pipeline.exit_codes import ExitCode

REFUSING = ("CollisionExampleGen", "DataGate")
"""The nodes that refuse data."""

GATE = "PushGate"
"""The node that fails when nothing was pushed."""

_STATUS = re.compile(r"status(?: of)? (\d+)")


class SubmitError(RuntimeError):
    """The engine did not take the run, or cannot be asked; the message gives the remedy."""


@dataclass(frozen=True)
class RunState:
    """What an engine says of a run.

    Attributes:
      ended: whether it goes on no more.
      succeeded: whether it ended well.
      tasks: each task's state, in the engine's words, lower case.
      errors: what the engine says of tasks that failed.
    """

    ended: bool
    succeeded: bool
    tasks: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


class Runs(Protocol):
    """An engine's runs of one pipeline."""

    def submit(self, file: Path) -> str:
        """Starts a run of a compiled file, or a schedule; gives its id."""

    def link(self, run_id: str) -> str:
        """Where a person can look at it."""

    def state(self, run_id: str) -> RunState:
        """How the run is now."""


def follow(runs: Runs, run_id: str, interval: float) -> Iterator[RunState]:
    """A run's states until it has ended, as often as one changes.

    Args:
      runs: the engine's.
      run_id: the run.
      interval: seconds between two looks.
    """
    before = None
    while True:
        state = runs.state(run_id)
        if state != before:
            yield state
        if state.ended:
            return
        before = state
        time.sleep(interval)


def exit_code(state: RunState) -> ExitCode:
    """The exit code of `higgs run` for a run that has ended.

    An engine shows which tasks failed. PushGate fails for one reason alone. A node that refuses
    data may fail for others, too: where the engine passes on the container's exit status, that
    settles it.
    """
    if state.succeeded:
        return ExitCode.PUSHED
    failed = [name for name, word in state.tasks.items() if word == "failed"]
    for name in REFUSING:
        if name in failed and _was_refusal(state.errors.get(name, "")):
            return ExitCode.DATA_REFUSED
    if failed == [GATE]:
        return ExitCode.NOT_BLESSED
    return ExitCode.FAILED


def _was_refusal(error: str) -> bool:
    status = _STATUS.search(error)
    return status is None or int(status[1]) == ExitCode.DATA_REFUSED
