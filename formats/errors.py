"""Errors by which a node stops a run on purpose; each has an exit code of its own."""


class DataRefusedError(ValueError):
    """The data must not be trained on; the message lists every reason.

    The error crosses process boundaries as its text alone, so it takes no other arguments.
    """


class NotPushedError(RuntimeError):
    """No model was pushed because a blessing was withheld."""


class DamagedBaselineError(RuntimeError):
    """The model in service, with which a candidate must be compared, is damaged."""
