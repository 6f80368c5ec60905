"""Search of a split for values: how many there are, and the record with the first one."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.data_gate.event_locations import Location, first_location
from formats.beam_files import find_files, open_file
from formats.event_hash import event_hashes
from formats.examples import CONCURRENT_READS, FILES, RowGroup, read_row_group, split_folder
from formats.features import FEATURES
from formats.ingested_shards import read_ingestion

Condition = Callable[[NDArray[np.float32]], Any]
"""Selects values of a column: bool [N] from float32 [N]."""


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
        condition: selects the values.
    """
    files = find_files(f"{split_folder(examples_uri, split)}/{FILES}")
    # In an object store the time is that of the requests, several per file.
    with ThreadPoolExecutor(CONCURRENT_READS) as threads:
        search = partial(_search_file, column=column, condition=condition)
        found = [*threads.map(search, [file.path for file in files])]
    count = sum(number for number, _ in found)
    if not count:
        return Matches(0, None)
    row_group, row = next(place for _, place in found if place)
    hashes = event_hashes(_features(row_group, row))
    return Matches(count, first_location(examples_uri, split, hashes, read_ingestion(examples_uri)))


def _search_file(
    path: str, column: str, condition: Condition
) -> tuple[int, tuple[RowGroup, int] | None]:
    """Returns the number of values, and the row group and the row in it of the first."""
    count, first = 0, None
    with open_file(path) as stream:
        file = pq.ParquetFile(stream)
        for group in range(file.num_row_groups):
            rows = np.flatnonzero(condition(_values(file.read_row_group(group, [column]), column)))
            if rows.size and first is None:
                first = (path, group), int(rows[0])
            count += rows.size
    return count, first


def _features(row_group: RowGroup, row: int) -> NDArray[np.float32]:
    """Reads the features of one event, float32 [1, 28]."""
    event = read_row_group(row_group).slice(row, 1)
    return np.array([[_values(event, name)[0] for name in FEATURES]], np.float32)


def _values(table: Any, column: str) -> NDArray[np.float32]:
    return pc.list_flatten(table.column(column)).to_numpy()
