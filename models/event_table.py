"""Parquet Examples to NumPy: a split's columns, read in bulk into one array.

A column is a list of floats with exactly one value an event, the layout that TFX
and TFDV demand of Parquet. Files are opened through TensorFlow, so that every
file system that TFX can write to can be read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from formats.features import COLUMNS, FEATURES, LABEL, NUM_FEATURES

Array = npt.NDArray[np.float32]

ALIGNMENT = 64
"""Bytes: TensorFlow's kernels take only memory that begins at a multiple of this."""


@dataclass(frozen=True)
class Events:
    """Collisions in memory.

    Attributes:
      features: float32 [N, columns]: as read the 28 of ``FEATURES``, in this order.
      labels: float32 [N, 1], 1.0 for signal and 0.0 for background.
    """

    features: Array
    labels: Array

    def __len__(self) -> int:
        return len(self.labels)


def empty(*shape: int) -> Array:
    """An array float32, not initialised, that TensorFlow can use where it is."""
    count = int(np.prod(shape))
    buffer = np.empty(4 * count + ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % ALIGNMENT
    return buffer[start : start + 4 * count].view(np.float32).reshape(shape)


def as_tensor(array: Array) -> tf.Tensor:
    """An array as a tensor on this host: the same memory if it was made by ``empty``, or a copy.

    TensorFlow would copy any other way, and two copies of 11 million events are too many.
    """
    if array.ctypes.data % ALIGNMENT or not array.flags.c_contiguous or not array.size:
        return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


class InputDataError(ValueError):
    """Parquet Examples that cannot be trained on; the message names file, column and remedy."""


def read_events(patterns: Sequence[str]) -> Events:
    """Reads every event of the files that match, in the order of the files' names.

    Memory is the events' own, 116 bytes each, and one row group at a time.

    Args:
      patterns: glob patterns such as ``.../Split-train/*``.

    Raises:
      InputDataError: no file or no event matches, a column is missing, or an event
        has not exactly one finite value in each column.
    """
    files = [_open(path) for path in _matching(patterns)]
    total = sum(file.metadata.num_rows for _, file in files)
    if not total:
        raise InputDataError(f"no events in {', '.join(patterns)}: has ExampleGen finished?")
    events = Events(empty(total, NUM_FEATURES), empty(total, 1))
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
    """A TensorFlow file as pyarrow wants it: pyarrow asks a file whether it is closed."""

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
    """One column's values, float32 [rows], from its lists of one."""
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
