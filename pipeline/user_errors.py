"""What a person can ask of a command in vain; the messages say what there is instead."""


class RunNotFoundError(LookupError):
    """No such run or pushed version is recorded."""


class UnsuitableModelError(ValueError):
    """A folder holds no model that the pipeline can evaluate."""
