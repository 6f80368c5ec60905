"""Event table: events in memory, and layers that are applied to them part by part."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf

Array = npt.NDArray[np.float32]

ALIGNMENT = 64
"""Memory alignment that TensorFlow's kernels require, in bytes."""

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

    def __getitem__(self, rows: slice | npt.NDArray[np.generic]) -> "EventTable":
        """Returns the selected events: a view for a slice, a copy for indices or a mask."""
        return EventTable(self.features[rows], self.labels[rows])


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

    Any other way copies, and two copies of a window of events need too much memory.
    """
    if array.ctypes.data % ALIGNMENT or not array.flags.c_contiguous or not array.size:
        return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def empty_columns(events: int, columns: int) -> Array:
    """Allocates an uninitialized float32 array [N, columns] in which each column is contiguous.

    CatBoost reads such an array where it is, and copies any other.
    """
    return np.empty([columns, events], np.float32).T


def apply_in_chunks(
    layer: Callable[[tf.Tensor], tf.Tensor],
    features: Array,
    allocate: Callable[[int, int], Array] = empty,
) -> Array:
    """Applies a Keras layer or model to any number of events in limited memory.

    Args:
        layer: from float32 [n, columns] to float32 [n, outputs], for any n; a ``tf.function`` is
            traced once for all calls with at least ``CHUNK_EVENTS`` events.
        features: float32 [N, columns].
        allocate: allocates the result by its shape.

    Returns:
        float32 [N, outputs].
    """
    is_compiled = isinstance(layer, tf.types.experimental.GenericFunction)
    compute = layer if is_compiled else tf.function(layer, autograph=False)
    # Static shapes: otherwise TensorFlow fuses operations differently, which changes the last
    # digits.
    # The last chunk overlaps the one before, so that all have the same shape.
    size = min(CHUNK_EVENTS, len(features))
    first = compute(tf.constant(features[:size])).numpy()
    outputs = allocate(len(features), first.shape[1])
    outputs[:size] = first
    for start in range(size, len(features), size or 1):
        chunk = slice(min(start, len(features) - size), start + size)
        outputs[chunk] = compute(tf.constant(features[chunk])).numpy()
    return outputs
