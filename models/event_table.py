"""Event table: the events of a split in memory, read from Parquet Examples.

A column of the files is a list with exactly one float per event, the layout that TFX and TFDV
require of Parquet. Files are opened through TensorFlow, so that every file system that TFX can
write to can be read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from formats.features import COLUMNS, FEATURES, LABEL, NUM_FEATURES

Array = npt.NDArray[np.float32]

ALIGNMENT = 64
"""TensorFlow's kernels require memory that begins at a multiple of this number of bytes."""

CHUNK_EVENTS = 16_384
"""Events per call of ``apply_in_chunks``: about 100 MB of intermediate values."""


@dataclass(frozen=True)
class EventTable:
    """Events in memory.

    Attributes:
        features: float32 [N, columns]; as read, the 28 of ``FEATURES`` in this order.
        labels: float32 [N, 1], 1.0 for signal and 0.0 for background.
    """

    features: Array
    labels: Array

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Splits:
    """The two splits of a training.

    Attributes:
        train: the events to learn from.
        validation: the events on which epochs are compared and logits are blended.
    """

    train: EventTable
    validation: EventTable


class InputDataError(ValueError):
    """Parquet Examples that cannot be trained on; the message names file, column and remedy."""


def empty(*shape: int) -> Array:
    """Allocates an uninitialized float32 array that TensorFlow can use without a copy."""
    count = int(np.prod(shape))
    buffer = np.empty(4 * count + ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % ALIGNMENT
    return buffer[start : start + 4 * count].view(np.float32).reshape(shape)


def as_tensor(array: Array) -> tf.Tensor:
    """Converts an array to a tensor on this host, without a copy if ``empty`` allocated it.

    Any other way copies, and two copies of 11 million events need too much memory.
    """
    if array.ctypes.data % ALIGNMENT or not array.flags.c_contiguous or not array.size:
        return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def apply_in_chunks(layer: Callable[[tf.Tensor], tf.Tensor], features: Array) -> Array:
    """Applies a Keras layer or model to any number of events in limited memory.

    Args:
        layer: from float32 [n, columns] to float32 [n, outputs], for any n.
        features: float32 [N, columns].

    Returns:
        float32 [N, outputs], allocated by ``empty``.
    """
    # Static shapes: with other ones TensorFlow fuses differently, which changes the last digits.
    compute = tf.function(layer, autograph=False)
    first = compute(tf.constant(features[:CHUNK_EVENTS])).numpy()
    outputs = empty(len(features), first.shape[1])
    outputs[:CHUNK_EVENTS] = first
    for start in range(CHUNK_EVENTS, len(features), CHUNK_EVENTS):
        chunk = slice(start, start + CHUNK_EVENTS)
        outputs[chunk] = compute(tf.constant(features[chunk])).numpy()
    return outputs


def read_events(patterns: Sequence[str]) -> EventTable:
    """Reads all events of the matching files, in the order of the file names.

    The memory needed is that of the events, 116 bytes each, and of one row group at a time.

    Args:
        patterns: glob patterns such as ``.../Split-train/*``.

    Raises:
        InputDataError: no file or no event matches, a column is missing, or an event does not
            have exactly one finite value in each column.
    """
    files = [_open(path) for path in _matching(patterns)]
    total = sum(file.metadata.num_rows for _, file in files)
    if not total:
        raise InputDataError(f"no events in {', '.join(patterns)}: has ExampleGen finished?")
    events = EventTable(empty(total, NUM_FEATURES), empty(total, 1))
    start = 0
    for path, file in files:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=list(COLUMNS))
            stop = start + table.num_rows
            events.labels[start:stop, 0] = _values(table, LABEL, path)
            for column, name in enumerate(FEATURES):
                events.features[start:stop, column] = _values(table, name, path)
            start = stop
    return events


class _RandomAccessFile(tf.io.gfile.GFile):
    """A TensorFlow file with the attribute ``closed``, which pyarrow requires."""

    closed = False


def _matching(patterns: Sequence[str]) -> list[str]:
    return sorted({path for pattern in patterns for path in tf.io.gfile.glob(pattern)})


def _open(path: str) -> tuple[str, pq.ParquetFile]:
    file = pq.ParquetFile(_RandomAccessFile(path, "rb"))
    missing = [name for name in COLUMNS if name not in file.schema_arrow.names]
    if missing:
        raise InputDataError(
            f"{path} has no column {', '.join(missing)}: a file of Examples holds "
            f"{LABEL!r} and the {NUM_FEATURES} features"
        )
    return path, file


def _values(table: pa.Table, name: str, path: str) -> Array:
    """Converts one column of one-element lists to float32 [rows]."""
    lists = table.column(name).combine_chunks()
    if not pa.types.is_large_list(lists.type) or not pa.types.is_float32(lists.type.value_type):
        raise InputDataError(f"{path}: column {name!r} is {lists.type}, not large_list<float>")
    values = lists.flatten()
    lengths = np.diff(lists.offsets.to_numpy())
    if lists.null_count or values.null_count or (lengths != 1).any():
        raise InputDataError(f"{path}: column {name!r} has an event without exactly one value")
    array = values.to_numpy()
    if not np.isfinite(array).all():
        raise InputDataError(f"{path}: column {name!r} holds NaN or infinity: remove such events")
    return array
