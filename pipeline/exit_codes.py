"""What the commands tell the shell."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of `higgs`."""

    PUSHED = 0
    FAILED = 1
    USAGE = 2
    NOT_BLESSED = 3
    DATA_REFUSED = 4
    INTERRUPTED = 130
