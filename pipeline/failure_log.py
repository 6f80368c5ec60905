"""Tracebacks for the log of a run, whose disk may have failed."""

import sys
import traceback
from contextlib import suppress

from pipeline.secret_values import redact


def log_traceback() -> None:
    """Prints the traceback of the handled exception to the log, if the log can be written.

    Passwords and tokens in it are left out.
    """
    with suppress(OSError):
        print(redact(traceback.format_exc()), file=sys.stderr)
