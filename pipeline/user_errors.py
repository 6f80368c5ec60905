"""User errors of the report commands; each message lists what exists instead."""


class RunNotFoundError(LookupError):
    """There is no such run or pushed version."""


class UnsuitableModelError(ValueError):
    """A folder does not hold a model that the pipeline can evaluate."""
