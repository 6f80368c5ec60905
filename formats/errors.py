"""Errors with which a node stops a run on purpose, each with its own exit code."""

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Replaces control characters and surrogates, by which a name could control a terminal.

    >>> printable("a\x1b[31m.csv")
    'a�[31m.csv'
    """
    return _CONTROL.sub("\ufffd", text).encode("utf-8", "replace").decode("utf-8")


class DataRefusedError(ValueError):
    """The data must not be trained on; the message lists every reason.

    The error crosses process boundaries as its text alone, so it takes no other arguments.
    """

    def __init__(self, message: str) -> None:
        """Takes the message, which may quote names and values of the data."""
        super().__init__(printable(message))


class NotPushedError(RuntimeError):
    """No model was pushed because a blessing was withheld."""


class DamagedBaselineError(RuntimeError):
    """The model in service, with which a candidate must be compared, is damaged."""
