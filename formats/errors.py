"""Errors that a user can correct, and errors with which a node stops a run on purpose."""

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Replaces control characters and surrogates, with which a name could control a terminal.

    >>> printable("a\x1b[31m.csv")
    'a�[31m.csv'
    """
    return _CONTROL.sub("\ufffd", text).encode("utf-8", "replace").decode("utf-8")


def one_line(text: object, limit: int | None = None) -> str:
    r"""Writes an error or a text in one line, cut off at a number of characters.

    >>> one_line(ValueError("no such\n  file"), limit=9)
    'no such f'
    """
    return " ".join(str(text).split())[:limit]


class UserError(Exception):
    """An error that the user can correct; the message has the cause and the remedy.

    Attributes:
        exit_code: exit code of the `higgs` command; see ``pipeline.exit_codes``.
    """

    exit_code = 1


class DataRefusedError(UserError, ValueError):
    """The data must not be trained on; the message lists every reason.

    The error crosses process boundaries as its text alone, so it takes no other arguments.
    """

    exit_code = 4

    def __init__(self, message: str) -> None:
        """Takes the message, which may quote names and values of the data."""
        super().__init__(printable(message))


class NotPushedError(RuntimeError):
    """No model was pushed because a blessing was withheld."""


class DamagedBaselineError(UserError, RuntimeError):
    """The model in service, with which a candidate must be compared, is damaged."""
