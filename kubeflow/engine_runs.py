"""A run on an engine: what is asked of it, how it is followed, and how it ended."""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pipeline.exit_codes import ExitCode

MEANING = {
    "CollisionExampleGen": ExitCode.DATA_REFUSED,
    "DataGate": ExitCode.DATA_REFUSED,
    "PushGate": ExitCode.NOT_BLESSED,
}
"""What it means when one of these nodes fails, and no other."""

PATIENCE = 5
"""Looks at a run that may fail, one after the other."""

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
    """An engine's runs of one pipeline.

    Every method raises ``SubmitError`` when the engine cannot be asked, or refuses.
    """

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

    Raises:
      SubmitError: the engine could not be asked ``PATIENCE`` times in a row.
    """
    before = None
    while True:
        state = _look(runs, run_id, interval)
        if state != before:
            yield state
        if state.ended:
            return
        before = state
        time.sleep(interval)


def exit_code(state: RunState) -> ExitCode:
    """The exit code of `higgs run` for a run that has ended.

    An engine shows which tasks failed. A gate may fail for other reasons than its own, such as a
    machine that was taken away: where the engine passes on the container's exit status, that
    settles it.
    """
    if state.succeeded:
        return ExitCode.PUSHED
    failed = [name for name, word in state.tasks.items() if word == "failed"]
    if len(failed) != 1:
        return ExitCode.FAILED
    meaning = MEANING.get(failed[0], ExitCode.FAILED)
    status = _STATUS.search(state.errors.get(failed[0], ""))
    return meaning if status is None or int(status[1]) == meaning else ExitCode.FAILED


def _look(runs: Runs, run_id: str, interval: float, patience: int = PATIENCE) -> RunState:
    try:
        return runs.state(run_id)
    except SubmitError:
        if patience == 1:
            raise
    time.sleep(interval)
    return _look(runs, run_id, interval, patience - 1)
