"""Parser for records in any encoding: TensorFlow's protos, with reasons for invalid records.

TensorFlow takes seconds to import. It is imported only for records that are not encoded as
published, or are invalid.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from formats.features import LABEL, NUM_FEATURES

FEATURES_KEY = "features"
FEATURE_BYTES = 4 * NUM_FEATURES


class InvalidRecordError(ValueError):
    """A record that is not a HIGGS record.

    Attributes:
        reason: what is wrong, as the predicate of a sentence.
        index: index of the record in its chunk.
    """

    def __init__(self, reason: str, index: int = 0) -> None:
        super().__init__(reason, index)
        self.reason, self.index = reason, index


def parse_record(record: bytes) -> tuple[NDArray[np.float32], np.float32]:
    """Parses a serialized ``tf.train.Example``.

    Returns:
        The features, float32 [28], and the label, which may have any value.

    Raises:
        InvalidRecordError: the record has another layout.
    """
    from tensorflow.core.example import example_pb2

    example = _parse(example_pb2.Example, record, "is not a tf.train.Example")
    columns = example.features.feature
    tensor = _single_element(columns, FEATURES_KEY, "bytes_list")
    label = _single_element(columns, LABEL, "float_list")
    return _parse_tensor(tensor), np.float32(label)


def _require(condition: bool, reason: str) -> None:
    if not condition:
        raise InvalidRecordError(reason)


def _parse(message: Any, data: bytes, complaint: str) -> Any:
    parsed = message()
    try:
        # At a zero tag, protobuf stops with a warning and drops the rest.
        count = parsed.MergeFromString(data)
    except (DecodeError, SystemError) as error:  # the second where warnings are errors
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
