"""Search of a split for values: how many there are, and the record with the first one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.data_gate.event_locations import Location, first_location
from formats.event_hash import event_hashes
from formats.examples import FILES, RowGroup, find_row_groups, read_row_group, split_folder
from formats.features import FEATURES
from formats.ingested_shards import read_ingestion

Condition = Callable[[NDArray[np.float32]], Any]
"""Returns which values of a column are meant: bool [N] for float32 [N]."""


@dataclass(frozen=True)
class Matches:
    """Values of a column that meet a condition.

    Attributes:
        count: number of events.
        first: the first record; None if there is none, or if it was not found.
    """

    count: int
    first: Location | None


def find_values(examples_uri: str, split: str, column: str, condition: Condition) -> Matches:
    """Counts the values of a column that meet a condition, and locates the first.

    Args:
        examples_uri: folder of the Examples.
        split: the split.
        column: the label or a feature.
        condition: which values are meant.
    """
    count, first = 0, None
    for row_group in find_row_groups(f"{split_folder(examples_uri, split)}/{FILES}"):
        rows = np.flatnonzero(condition(_values(read_row_group(row_group, [column]), column)))
        if not count and rows.size:
            hashes = event_hashes(_features(row_group, int(rows[0])))
            first = first_location(examples_uri, split, hashes, read_ingestion(examples_uri))
        count += rows.size
    return Matches(count, first)


def _features(row_group: RowGroup, row: int) -> NDArray[np.float32]:
    """Reads the features of one event, float32 [1, 28]."""
    event = read_row_group(row_group).slice(row, 1)
    return np.array([[_values(event, name)[0] for name in FEATURES]], np.float32)


def _values(table: Any, column: str) -> NDArray[np.float32]:
    return pc.list_flatten(table.column(column)).to_numpy()
