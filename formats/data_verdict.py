"""``verdict.json``: what DataGate writes when the data passes."""

from collections.abc import Mapping

from pydantic import BaseModel

FILE_NAME = "verdict.json"


class DataVerdictFile(BaseModel):
    """Content of ``verdict.json``.

    Attributes:
        events: number of events by split.
        duplicates: number of events that repeat an earlier one of their split.
    """

    events: Mapping[str, int]
    duplicates: Mapping[str, int] = {}
