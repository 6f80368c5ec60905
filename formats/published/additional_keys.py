"""Encoder of records with additional keys, one float each."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from formats.published.record import Events, encode_records
from formats.published.record_parser import varint
from formats.published.tfrecord import frame_equal


def make_encoder(keys: Sequence[str]) -> Callable[[Events, NDArray[np.float32]], bytes]:
    """Makes an encoder of events with additional floats.

    Args:
        keys: names of the additional floats, other than ``features`` and ``label``.

    Returns:
        A function of events and float32 [N, K], the additional floats; it gives the content of a
        TFRecord shard.
    """
    entries = [_entry(key.encode()) for key in keys]

    def encode(events: Events, values: NDArray[np.float32]) -> bytes:
        records = np.frombuffer(b"".join(encode_records(events)), np.uint8)
        # Without the tag and the length of Example.features.
        parts = [records.reshape(len(events.labels), -1)[:, 3:]]
        for column, entry in enumerate(entries):
            rows = np.tile(np.frombuffer(entry + bytes(4), np.uint8), (len(events.labels), 1))
            payload = np.ascontiguousarray(values[:, column], "<f4")
            rows[:, -4:] = payload[:, None].view(np.uint8)
            parts.append(rows)
        content = np.concatenate(parts, axis=1)
        head = np.frombuffer(b"\x0a" + varint(content.shape[1]), np.uint8)
        return frame_equal(np.hstack([np.tile(head, (len(content), 1)), content]))

    return encode


def _entry(key: bytes) -> bytes:
    """Returns an entry of ``Features.feature`` with one float, up to the float."""
    value = b"\x12\x08\x12\x06\x0a\x04"  # Feature.float_list, FloatList.value, packed
    name = b"\x0a" + varint(len(key)) + key
    return b"\x0a" + varint(len(name) + len(value) + 4) + name + value
