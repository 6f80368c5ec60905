"""Throttle: limits progress messages and checks to one every few seconds."""

import math
import time


class Throttle:
    """Limits an action to once per interval: tells when it is due.

    The first call is due at once; ``restart`` begins an interval without an action.

    >>> throttle = Throttle(seconds=3600)
    >>> throttle.is_due(), throttle.is_due()
    (True, False)
    """

    def __init__(self, seconds: float):
        """Sets the length of the interval."""
        self._seconds = seconds
        self._due = -math.inf

    def is_due(self) -> bool:
        """Returns whether the action is due, and if so restarts the interval."""
        if time.monotonic() < self._due:
            return False
        self.restart()
        return True

    def restart(self) -> None:
        """Restarts the interval; the action is due when the interval is over."""
        self._due = time.monotonic() + self._seconds
