"""User errors of commands that work on a pipeline root; each message has the remedy."""

from formats.errors import UserError


class RunNotFoundError(UserError, LookupError):
    """There is no such run or pushed version."""


class MetadataError(UserError, RuntimeError):
    """The metadata of a root cannot be used; the message has the file, the cause and the remedy."""


class DamagedMetadataError(MetadataError):
    """The metadata file is missing beside artifacts, or its content is not ML Metadata's.

    Attributes:
        problem: the file and what is wrong with it, without the remedy.
    """

    def __init__(self, problem: str, remedy: str):
        """Makes a sentence of both."""
        super().__init__(f"{problem}: {remedy}")
        self.problem = problem


class ProvenanceError(UserError, ValueError):
    """A folder does not tell where the model in it comes from."""
