"""The one error by which the pipeline refuses data."""


class DataRefusedError(ValueError):
    """The data must not be learned from; the message gives every reason.

    It crosses process boundaries as its text alone, so it takes nothing else.
    """
