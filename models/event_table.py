"""Event table: the events of a split in memory, read from Parquet Examples.

A column of the files is a list with exactly one float per event, the layout that TFX and TFDV
require of Parquet. Files are opened through TensorFlow, so that every file system that TFX can
write to can be read.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from formats import splitmix64
from formats.event_counts import check_events
from formats.event_hash import event_hashes
from formats.features import COLUMNS, FEATURES, LABEL, NUM_FEATURES
from formats.names import TRAIN_SPLIT

Array = npt.NDArray[np.float32]

ALIGNMENT = 64
"""TensorFlow's kernels require memory that begins at a multiple of this number of bytes."""

MAX_VALIDATION_EVENTS = 500_000
"""Maximum number of events that are set aside for validation."""

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
    """The two parts of a training: the Trainer never reads the split that judges the model.

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
    files = _open_all(patterns)
    events = _Filling(_count(files))
    for part in _row_groups(files):
        events.append(part.features, part.labels)
    return events.table()


def read_splits(patterns: Sequence[str], validation_share: float, *, ingested: int) -> Splits:
    """Reads all events of the matching files, and sets some aside for validation.

    The hash of an event decides, so that the parts are the same in every run and in any files, and
    equal events are in the same part.

    Args:
        patterns: as for ``read_events``.
        validation_share: share of the events to set aside, at most ``MAX_VALIDATION_EVENTS``.
        ingested: number of events that there must be.

    Raises:
        InputDataError: as for ``read_events``, or one of the parts has no events.
        EventCountError: there are more or fewer events than were ingested.
    """
    files = [_open(path) for path in _matching(patterns)]
    total = _count(files)
    check_events(TRAIN_SPLIT, total, ingested, ", ".join(patterns))
    limit = validation_limit(validation_share, total)
    # Memory that is not written is not used.
    train, validation = _Filling(total), _Filling(total)
    for part in _row_groups(files):
        is_validation = in_validation(part.features, limit)
        train.append(part.features[~is_validation], part.labels[~is_validation])
        validation.append(part.features[is_validation], part.labels[is_validation])
    splits = Splits(train.table(), validation.table())
    if not len(splits.train) or not len(splits.validation):
        raise InputDataError(
            f"{total} events in {', '.join(patterns)} are too few to set aside the share "
            f"{validation_share:g} for validation: train on more events, or raise "
            "trainer.validation_share"
        )
    return splits


def validation_limit(share: float, total: int) -> float:
    """Returns the share of the events that is set aside, lowered for many events.

    Hashes are random, so the number of events varies by its square root; six standard deviations
    keep it at most ``MAX_VALIDATION_EVENTS``.
    """
    largest = MAX_VALIDATION_EVENTS - 6 * math.sqrt(MAX_VALIDATION_EVENTS)
    return min(share, largest / total)


def in_validation(features: Array, limit: float) -> npt.NDArray[np.bool_]:
    """Tells which events are set aside for validation: bool [N].

    Args:
        features: float32 [N, 28].
        limit: the share of the events.
    """
    # Mixed once more: the splits of a single folder follow from a hash of the same kind.
    hashes = splitmix64.mix(event_hashes(features) + splitmix64.GOLDEN_GAMMA)
    return hashes < np.uint64(limit * 2.0**64)


class _Filling:
    """An event table that is filled from the front."""

    def __init__(self, capacity: int):
        self._events = EventTable(empty(capacity, NUM_FEATURES), empty(capacity, 1))
        self._count = 0

    def append(self, features: Array, labels: Array) -> None:
        part = slice(self._count, self._count + len(labels))
        self._events.features[part] = features
        self._events.labels[part] = labels
        self._count += len(labels)

    def table(self) -> EventTable:
        filled = slice(self._count)
        return EventTable(self._events.features[filled], self._events.labels[filled])


def _open_all(patterns: Sequence[str]) -> list[tuple[str, pq.ParquetFile]]:
    files = [_open(path) for path in _matching(patterns)]
    if not _count(files):
        raise InputDataError(f"no events in {', '.join(patterns)}: has ExampleGen finished?")
    return files


def _count(files: Sequence[tuple[str, pq.ParquetFile]]) -> int:
    return sum(file.metadata.num_rows for _, file in files)


def _row_groups(files: Sequence[tuple[str, pq.ParquetFile]]) -> Iterator[EventTable]:
    for path, file in files:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=list(COLUMNS))
            columns = [_values(table, name, path) for name in FEATURES]
            yield EventTable(np.column_stack(columns), _values(table, LABEL, path)[:, None])


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
