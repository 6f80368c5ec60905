"""Parser for records in any encoding: TensorFlow's protos, with reasons for invalid records.

TensorFlow takes seconds to import. It is imported only for records that are not encoded as
published, or are invalid.
"""

import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from formats.features import LABEL, NUM_FEATURES

FEATURES_KEY = "features"
FEATURE_BYTES = 4 * NUM_FEATURES

_KEYS_REMEDY = (
    "Only features and label are used, and every event has the same weight: write the records "
    "without the key, or name it in ingestion.ignore_keys (`higgs evaluate --ignore-key`) to drop "
    "it."
)


class InvalidRecordError(ValueError):
    """A record that is not a HIGGS record.

    Attributes:
        reason: what is wrong, as the predicate of a sentence.
        index: index of the record in its chunk.
        remedy: what to do about it; empty for the usual one, to write the published layout.
    """

    def __init__(self, reason: str, index: int = 0, remedy: str = "") -> None:
        super().__init__(reason, index, remedy)
        self.reason, self.index, self.remedy = reason, index, remedy


def parse_record(
    record: bytes, ignored_keys: Collection[str] | None = None, *, is_labelled: bool = True
) -> tuple[NDArray[np.float32], np.float32]:
    """Parses a serialized ``tf.train.Example``.

    Args:
        record: the record.
        ignored_keys: keys besides features and label that it may have; None allows any.
        is_labelled: whether the label must be there, as a float.

    Returns:
        The features, float32 [28], and the label, which may have any value; NaN if it is missing.

    Raises:
        InvalidRecordError: the record has another layout, or a key that is not ignored.
    """
    columns = _parse_columns(record)
    if ignored_keys is not None:
        _check_keys(columns, ignored_keys)
    tensor = _single_element(columns, FEATURES_KEY, "bytes_list")
    if not is_labelled and len(columns[LABEL].float_list.value) != 1:
        return _parse_tensor(tensor), np.float32(np.nan)
    label = _single_element(columns, LABEL, "float_list")
    return _parse_tensor(tensor), np.float32(label)


def additional_keys(record: bytes) -> tuple[str, ...]:
    """Lists the keys of a serialized ``tf.train.Example`` besides features and label, sorted.

    Raises:
        InvalidRecordError: it is not one.
    """
    return _additional(_parse_columns(record))


def locate_additional(record: bytes) -> Iterator[slice]:
    """Locates the values of the keys besides features and label in a record that is valid.

    Yields:
        One slice per key whose value is in one place: the serialized ``tf.train.Feature``.
    """
    columns = _parse_columns(record)
    for key in _additional(columns):
        value = columns[key].SerializeToString()
        empty = _placeholder(len(value))
        entry = b"\x0a" + _prefixed(key.encode()) + b"\x12" + _prefixed(value)
        end = record.find(entry) + len(entry)
        position = slice(end - len(value), end)
        if empty is None or record.count(entry) != 1:
            continue
        # Planted there, another value is read under the key, and nothing else changes.
        with suppress(InvalidRecordError):
            changed = _parse_columns(record[: position.start] + empty + record[end:])
            expected = {name: columns[name] for name in columns if name != key}
            found = {name: changed[name] for name in changed if name != key}
            if found == expected and changed[key].SerializeToString() == empty:
                yield position


def _placeholder(size: int) -> bytes | None:
    """Returns a message of one unknown field, of the given length; None if there is none."""
    for length_bytes in (1, 2, 3):
        content = size - 1 - length_bytes
        if content >= 0 and len(_prefixed(bytes(content))) == size - 1:
            return b"\x7a" + _prefixed(bytes(content))
    return None


def _prefixed(content: bytes) -> bytes:
    """Prefixes bytes with their length, as protobuf does."""
    return varint(len(content)) + content


def varint(number: int) -> bytes:
    """Encodes a number as protobuf does.

    >>> varint(300).hex()
    'ac02'
    """
    encoded = b""
    while number > 0x7F:
        encoded += bytes([number & 0x7F | 0x80])
        number >>= 7
    return encoded + bytes([number])


def _parse_columns(record: bytes) -> Any:
    from tensorflow.core.example import example_pb2

    return _parse(example_pb2.Example, record, "is not a tf.train.Example").features.feature


def _additional(columns: Any) -> tuple[str, ...]:
    return tuple(sorted(set(columns) - {FEATURES_KEY, LABEL}))


def _check_keys(columns: Any, ignored_keys: Collection[str]) -> None:
    keys = [key for key in _additional(columns) if key not in ignored_keys]
    if keys and {FEATURES_KEY, LABEL} <= set(columns):
        listed = ", ".join(map(repr, keys))
        reason = f"has the additional key{'s' if keys[1:] else ''} {listed}"
        raise InvalidRecordError(reason, remedy=_KEYS_REMEDY)


def _require(condition: bool, reason: str) -> None:
    if not condition:
        raise InvalidRecordError(reason)


def _parse(message: Any, data: bytes, complaint: str) -> Any:
    parsed = message()
    try:
        # At a zero tag, protobuf stops with a warning and drops the rest, which is noticed below.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            count = parsed.MergeFromString(data)
    except DecodeError as error:
        raise InvalidRecordError(f"{complaint}: its {len(data)} bytes do not parse") from error
    _require(count == len(data), f"{complaint}: {len(data) - count} bytes follow its end")
    return parsed


def _single_element(columns: Any, key: str, expected_kind: str) -> Any:
    keys = ", ".join(map(repr, sorted(columns))) or "none"
    _require(key in columns, f"has no key '{key}'; its keys: {keys}")
    kind = columns[key].WhichOneof("kind")
    _require(kind == expected_kind, f"holds '{key}' as {kind or 'nothing'}, not as {expected_kind}")
    values = getattr(columns[key], expected_kind).value
    _require(len(values) == 1, f"holds {len(values)} elements in '{key}', not one")
    return values[0]


def _parse_tensor(data: bytes) -> NDArray[np.float32]:
    from tensorflow.core.framework import tensor_pb2, types_pb2

    tensor = _parse(
        tensor_pb2.TensorProto, data, f"does not hold a serialized tensor in '{FEATURES_KEY}'"
    )
    known_types = types_pb2.DataType.values()
    dtype = tensor.dtype
    name = types_pb2.DataType.Name(dtype) if dtype in known_types else f"dtype {dtype}"
    _require(dtype == types_pb2.DT_FLOAT, f"holds a tensor of {name}, not DT_FLOAT")
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    shape = "unknown" if tensor.tensor_shape.unknown_rank else str(sizes)
    _require(shape == f"[{NUM_FEATURES}]", f"has a tensor of shape {shape}, not [{NUM_FEATURES}]")
    if not tensor.tensor_content:
        return _fill_values(tensor.float_val)
    size = len(tensor.tensor_content)
    _require(size == FEATURE_BYTES, f"holds a tensor of {size} bytes, not {FEATURE_BYTES}")
    return np.frombuffer(tensor.tensor_content, "<f4")


def _fill_values(values: Sequence[float]) -> NDArray[np.float32]:
    """Applies TensorFlow's rule: the last value is repeated; no value means zeros."""
    count = len(values)
    _require(count <= NUM_FEATURES, f"holds a tensor of {count} values, not {NUM_FEATURES}")
    features = np.zeros(NUM_FEATURES, np.float32)
    if count:
        features[:count] = values
        features[count:] = values[-1]
    return features
