"""Parquet Examples: the columnar events that ingestion writes and every later node reads.

A column is a list with exactly one float32 per event, the layout that TFX and TFDV require of
Parquet. Files are split into row groups, the unit of work on Beam's workers.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from formats.beam_files import find_files, open_file
from formats.event_counts import check_counted, check_events
from formats.features import COLUMNS, DISCRETE_VALUES, LABEL
from formats.names import events_property
from formats.published.record import Events

FILES = "*.parquet"
"""Pattern of the files of a split."""

ROW_GROUP_EVENTS = 65_536
"""Events per row group: about 8 MB, which a reader holds in memory at a time."""

# TFDV reads lists, and only large ones from Parquet.
SCHEMA = pa.schema([pa.field(name, pa.large_list(pa.float32())) for name in COLUMNS])

# Dictionary encoding pays off for columns with few values. For the others, encoding took four times
# as long and the files were 1.5 times as large.
DICTIONARY_COLUMNS = [f"{name}.list.item" for name in (LABEL, *DISCRETE_VALUES)]

CONCURRENT_READS = 16
"""Files whose metadata or columns are read at a time."""

T = TypeVar("T")

RowGroup = tuple[str, int]
"""A file and the index of one of its row groups."""


def split_folder(examples_uri: str, split: str) -> str:
    """Returns the folder of a split's files, as TFX names it."""
    return f"{examples_uri}/Split-{split}"


def to_table(events: Events) -> pa.Table:
    """Converts events to columns of one-element lists: the label, then the features."""
    offsets = pa.array(np.arange(len(events.labels) + 1, dtype=np.int64))
    columns = [events.labels, *np.ascontiguousarray(events.features.T)]
    lists = [pa.LargeListArray.from_arrays(offsets, pa.array(column)) for column in columns]
    return pa.Table.from_arrays(lists, schema=SCHEMA)


def parquet_writer(stream: Any) -> pq.ParquetWriter:
    """Opens a writer of Examples on a binary stream."""
    return pq.ParquetWriter(stream, SCHEMA, compression="snappy", use_dictionary=DICTIONARY_COLUMNS)


def find_row_groups(pattern: str) -> Iterator[RowGroup]:
    """Yields every row group of the matching files, in the order of the files' names."""
    for path in list_files(pattern):
        yield from ((path, group) for group in range(_read_metadata(path).num_row_groups))


def sample_row_groups(pattern: str, number: int) -> list[RowGroup]:
    """Chooses row groups spread evenly over the matching files, and at most ``number`` files.

    The choice depends only on the files.
    """
    files = _evenly(list_files(pattern), number)
    share = -(-number // max(1, len(files)))
    return [
        (path, group)
        for path in files
        for group in _evenly(range(_read_metadata(path).num_row_groups), share)
    ]


def list_files(pattern: str) -> list[str]:
    """Lists the matching files, sorted."""
    return [file.path for file in find_files(pattern)]


def _read_metadata(path: str) -> pq.FileMetaData:
    with open_file(path) as stream:
        return pq.read_metadata(stream)


def _evenly(items: Sequence[T], number: int) -> list[T]:
    """Chooses up to ``number`` items at equal distances.

    >>> _evenly("abcdefgh", 3), _evenly("ab", 3)
    (['a', 'c', 'f'], ['a', 'b'])
    """
    number = min(number, len(items))
    return [items[index * len(items) // number] for index in range(number)]


def read_row_group(row_group: RowGroup) -> pa.Table:
    """Reads one row group; every column is one chunk."""
    path, group = row_group
    with open_file(path) as stream:
        return pq.ParquetFile(stream).read_row_group(group).combine_chunks()


class RecordBatchCoder(beam.coders.Coder):
    """Beam coder of a record batch: Arrow's stream format.

    Beam asks for the size of the first batches between any two steps, even within one process.
    TFDV's coder would encode 8 MB to determine it.
    """

    def encode(self, value: pa.RecordBatch) -> bytes:
        """Returns the batch with its schema."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, value.schema) as writer:
            writer.write_batch(value)
        return sink.getvalue().to_pybytes()

    def decode(self, encoded: bytes) -> pa.RecordBatch:
        """Returns the batch."""
        return pa.ipc.open_stream(encoded).read_next_batch()

    def estimate_size(self, value: pa.RecordBatch) -> int:
        """Returns the bytes of the columns, without encoding them."""
        return int(value.nbytes)

    def to_type_hint(self) -> type:
        """Returns the type that it encodes."""
        return pa.RecordBatch


class ReadExamples(beam.PTransform):
    """Reads the row groups of the matching files in parallel, as record batches of every column.

    TFX's reader of Parquet passes batches between stages as pickles, and counts the values of one
    batch in ten in a Python loop, for its telemetry.
    """

    def __init__(self, pattern: str):
        super().__init__()
        self._pattern = pattern

    def expand(self, pipeline: Any) -> Any:
        """Returns a collection of ``pyarrow.RecordBatch``, one per row group."""
        # Here, because the import of TFDV registers its own.
        beam.coders.registry.register_coder(pa.RecordBatch, RecordBatchCoder)
        return (
            pipeline
            | "Files" >> beam.Create([self._pattern])
            | "RowGroups" >> beam.FlatMap(find_row_groups)
            | "Spread" >> beam.Reshuffle()
            | "Read" >> beam.FlatMap(_read_batches).with_output_types(pa.RecordBatch)
        )


def _read_batches(row_group: RowGroup) -> list[pa.RecordBatch]:
    return list(read_row_group(row_group).to_batches())


def count_events(examples_uri: str, split: str) -> int:
    """Reads the number of events in the files of a split from their metadata."""
    paths = list_files(f"{split_folder(examples_uri, split)}/{FILES}")
    # In an object store the time is that of the requests, one per file.
    with ThreadPoolExecutor(CONCURRENT_READS) as threads:
        return sum(metadata.num_rows for metadata in threads.map(_read_metadata, paths))


def check_split(examples: Any, split: str) -> None:
    """Compares the number of events in the files of a split with ingestion's.

    Args:
        examples: the artifact, which holds ingestion's number.
        split: the split.

    Raises:
        EventCountError: the numbers differ.
    """
    check_events(
        split,
        count_events(examples.uri, split),
        examples.get_int_custom_property(events_property(split)),
        split_folder(examples.uri, split),
    )


def check_result(node: str, counted: int | None, examples: Any, split: str) -> None:
    """Compares the number of events in the result of a node on Beam with ingestion's.

    Args:
        node: the node's id.
        counted: number of events in the result; None if it has none.
        examples: the artifact that the node has read.
        split: the split.

    Raises:
        EventCountError: the numbers differ, because files are missing or the runner lost or
            duplicated events.
    """
    ingested = examples.get_int_custom_property(events_property(split))
    if counted != ingested:
        # It is the runner's fault only if the files are still complete.
        check_split(examples, split)
    check_counted(node, counted, ingested)
