"""The exit codes of the `higgs` command."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of `higgs`; KEPT is a run that `evaluation.when_undecided` ends without a push."""

    PUSHED = 0
    KEPT = 0
    FAILED = 1
    USAGE = 2
    NOT_BLESSED = 3
    DATA_REFUSED = 4
    INTERRUPTED = 130
