"""Prepares a process for the libraries, whatever environment it was started in."""

import os
import signal
import sys
import warnings
from pathlib import Path

from formats.errors import UserError
from pipeline.exit_codes import ExitCode


class ProcessError(UserError):
    """Python runs with options that the libraries do not support."""

    exit_code = ExitCode.USAGE


def prepare_process() -> None:
    """Opens closed streams, and corrects the environment; precedes the import of any library.

    A user without a home folder gets ``/``, as from container engines: Matplotlib requires one. It
    also requires a backend that it knows and can import; the report needs none but ``agg``. Rich
    prints nothing if ``COLUMNS`` is 0, as in terminals without a size. If the caller ignores the
    end of its children, a child that failed would seem to have succeeded.

    Raises:
        ProcessError: Python runs without docstrings, which TensorFlow reads.
    """
    open_closed_streams()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if sys.flags.optimize > 1:
        raise ProcessError(
            "Python runs without docstrings, which TensorFlow needs: unset PYTHONOPTIMIZE or set "
            "it to 1, and leave out -OO"
        )
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = "/"
    os.environ["MPLBACKEND"] = "agg"
    if not os.environ.get("COLUMNS", "").strip("0"):
        os.environ.pop("COLUMNS", None)
    # Each library warns when it is imported, which no user can correct.
    if any(option.startswith("error") for option in sys.warnoptions):
        warnings.simplefilter("default")
    # Google's libraries announce in every process that they will drop this Python.
    warnings.simplefilter("ignore", FutureWarning)


def open_closed_streams() -> None:
    """Opens the null device for standard streams that the caller has closed.

    Otherwise the next file that is opened, such as the metadata, gets the number of a stream, and
    libraries print into it.
    """
    # The system gives the lowest free number.
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(number, True)
    os.close(number)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, closefd=False))
