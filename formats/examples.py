"""Parquet Examples by the row group: the unit that nodes of ours spread over Beam's workers."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

RowGroup = tuple[str, int]
"""A file and the place of one of its row groups."""


def find_row_groups(pattern: str) -> Iterator[RowGroup]:
    """Every row group of the files that match, in the order of the files' names."""
    [matched] = FileSystems.match([pattern])
    for path in sorted(file.path for file in matched.metadata_list):
        with _open(path) as stream:
            groups = pq.read_metadata(stream).num_row_groups
        yield from ((path, group) for group in range(groups))


def read_row_group(row_group: RowGroup) -> pa.Table:
    """One row group, its columns in one piece each."""
    path, group = row_group
    with _open(path) as stream:
        return pq.ParquetFile(stream).read_row_group(group).combine_chunks()


def _open(path: str) -> Any:
    return FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
