"""Tracebacks for the log of a run, whose disk may be what failed."""

import traceback
from contextlib import suppress


def log_traceback() -> None:
    """Prints the traceback of the handled exception to the log, if the log can be written."""
    with suppress(OSError):
        traceback.print_exc()
