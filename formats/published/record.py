"""The record codec: published HIGGS records to arrays and back, bit for bit.

Records are decoded by the proto, so every encoding that TensorFlow accepts is
accepted. Nearly all records of a shard differ in their payload alone (112 bytes
of features, 4 of label), so records like one already decoded are cut out of
their bytes by array slicing. See `_Template` for why that is exact.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from formats.features import LABEL, NUM_FEATURES
from formats.published import protos
from formats.published.tfrecord import Chunk, RecordError, frame_equal, iter_chunks, split_rows

FEATURES_KEY = "features"

__all__ = [
    "FEATURES_KEY", "Events", "RecordError", "encode_events", "encode_records", "read_events",
    "split_of",
]  # fmt: skip

_FEATURE_BYTES = 4 * NUM_FEATURES
_MAX_TEMPLATES = 8
_REMEDY = (
    "Expected the published layout: 'features', one serialized float32 tensor of shape "
    f"[{NUM_FEATURES}], and 'label', one 0.0 or 1.0; write this record so, or leave it out."
)


class Events(NamedTuple):
    """Collision events.

    Attributes:
        features: float32 [N, 28], columns in the order of `formats.features.FEATURES`.
        labels: float32 [N], 1.0 signal, 0.0 background.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.float32]


def read_events(stream: BinaryIO, source: str) -> Iterator[Events]:
    """Reads a shard, some thousand events at a time, in file order.

    Args:
        stream: the shard, plain or gzip; it need not be seekable.
        source: the shard's name, for messages.

    Raises:
        RecordError: at the first record that is not a HIGGS record, or the first damage.
            All events of earlier chunks have been yielded by then.
    """
    decoder = _Decoder()
    count = 0
    for chunk in iter_chunks(stream, source):
        try:
            yield decoder.decode(chunk)
        except _BadRecordError as error:
            raise RecordError(source, count + error.index, error.reason, _REMEDY) from error
        count += len(chunk)


class _BadRecordError(ValueError):
    """Says why a record is none of ours; `index` is its place in the chunk at hand."""

    def __init__(self, reason: str, index: int = 0) -> None:
        super().__init__(reason, index)
        self.reason, self.index = reason, index


def _require(fits: bool, reason: str) -> None:
    if not fits:
        raise _BadRecordError(reason)


def decode_record(record: bytes) -> tuple[NDArray[np.float32], np.float32]:
    """Decodes one serialized ``tf.train.Example`` by the proto.

    Returns:
        The features, float32 [28], and the label, 0.0 or 1.0.

    Raises:
        ValueError: the record has another layout; the message says what was found.
    """
    features, label = _payload(record)
    _require(label in (0.0, 1.0), f"has the label {label:g}, which is neither 0 nor 1")
    return features, label


def _payload(record: bytes) -> tuple[NDArray[np.float32], np.float32]:
    """Features, float32 [28], and the label, whatever its value."""
    example = _parse(protos.Example, record, "is no tf.train.Example")
    kinds = example.features.feature
    [tensor] = _only_list(kinds, FEATURES_KEY, "bytes_list")
    [label] = _only_list(kinds, LABEL, "float_list")
    return _decode_tensor(tensor), np.float32(label)


def _parse(message: Any, data: bytes, complaint: str) -> Any:
    try:
        return message.FromString(data)
    except DecodeError as error:
        raise _BadRecordError(f"{complaint}: its {len(data)} bytes do not parse") from error


def _only_list(kinds: Any, key: str, kind: str) -> Sequence[Any]:
    """The one-element list of `kind` under `key`."""
    keys = ", ".join(map(repr, sorted(kinds))) or "none"
    _require(key in kinds, f"has no key '{key}'; its keys: {keys}")
    found = kinds[key].WhichOneof("kind")
    _require(found == kind, f"holds '{key}' as {found or 'nothing'}, not as {kind}")
    values = getattr(kinds[key], kind).value
    _require(len(values) == 1, f"holds {len(values)} elements in '{key}', not one")
    return values


def _decode_tensor(data: bytes) -> NDArray[np.float32]:
    tensor = _parse(protos.TensorProto, data, f"holds no serialized tensor in '{FEATURES_KEY}'")
    found = protos.dtype_name(tensor.dtype)
    _require(tensor.dtype == protos.DT_FLOAT, f"holds a tensor of {found}, not DT_FLOAT")
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    named = "unknown" if tensor.tensor_shape.unknown_rank else str(shape)
    _require(named == f"[{NUM_FEATURES}]", f"has a tensor of shape {named}, not [{NUM_FEATURES}]")
    if not tensor.tensor_content:
        return _decode_float_val(tensor.float_val)
    size = len(tensor.tensor_content)
    _require(size == _FEATURE_BYTES, f"holds a tensor of {size} bytes, not {_FEATURE_BYTES}")
    return np.frombuffer(tensor.tensor_content, "<f4")


def _decode_float_val(values: Sequence[float]) -> NDArray[np.float32]:
    """TensorFlow's rule: the last value fills up what is missing, and no value means zeros."""
    given = len(values)
    _require(given <= NUM_FEATURES, f"holds a tensor of {given} values, not {NUM_FEATURES}")
    features = np.zeros(NUM_FEATURES, np.float32)
    if given:
        features[:given] = values
        features[given:] = values[-1]
    return features


class _Template(NamedTuple):
    """Where the payload sits in records that equal this one in every other byte.

    The proto's structure is decided by the bytes outside the payload, since the payload lies
    inside values of fixed length. So once a parse has shown that a record's payload sits at
    these places, it does in every record that agrees with it everywhere else.

    Attributes:
        record: uint8 [length], one such record.
        features: slice of the 112 bytes of features.
        label: slice of the 4 bytes of the label.
    """

    record: NDArray[np.uint8]
    features: slice
    label: slice

    def fits(self, rows: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Which rows of a uint8 [N, length] agree outside the payload: bool [N]."""
        first, second = sorted((self.features, self.label), key=lambda part: part.start)
        fixed = (slice(first.start), slice(first.stop, second.start), slice(second.stop, None))
        equal = np.ones(len(rows), np.bool_)
        for part in fixed:
            if len(template := self.record[part]):
                # As one value a row, which NumPy compares five times as fast as byte by byte.
                value = np.dtype((np.void, len(template)))
                equal &= rows[:, part].view(value)[:, 0] == template.view(value)
        return equal

    def decode(self, rows: NDArray[np.uint8]) -> Events:
        """Cuts the payload out of rows that fit."""
        features, labels = (
            rows[:, part].copy().view("<f4") for part in (self.features, self.label)
        )
        return Events(features, labels.ravel())

    def encode(self, events: Events) -> NDArray[np.uint8]:
        """Sets payloads into copies of this record: uint8 [N, length]."""
        rows = np.tile(self.record, (len(events.labels), 1))
        rows[:, self.features] = np.ascontiguousarray(events.features, "<f4").view(np.uint8)
        rows[:, self.label] = np.ascontiguousarray(events.labels, "<f4")[:, None].view(np.uint8)
        return rows


# Values no record holds, so what reads back as them was read from where they were planted.
_PLANTED = ((np.arange(NUM_FEATURES) + 0.7310586).astype("<f4"), np.float32(0.2689414))


def _learn(record: bytes) -> list[_Template]:
    """The template of a record, or none where its payload lies in no one place."""
    try:
        features, label = _find(record, 0), _find(record, 1)
    except _BadRecordError:
        return []
    return [_Template(np.frombuffer(record, np.uint8), features, label)]


def _find(record: bytes, field: int) -> slice:
    """Where features (0) or label (1) lie: where the values planted are the values read."""
    part, planted = _payload(record)[field].tobytes(), _PLANTED[field].tobytes()
    start = record.find(part)
    while start >= 0:
        place = slice(start, start + len(part))
        with suppress(_BadRecordError):
            changed = record[:start] + planted + record[place.stop :]
            if _payload(changed)[field].tobytes() == planted:
                return place
        start = record.find(part, start + 1)
    raise _BadRecordError("keeps its payload in no one place")


class _Decoder:
    """Decodes chunks of records, and keeps what it learned of a shard's records between them."""

    def __init__(self) -> None:
        self._templates: dict[int, list[_Template]] = {}

    def decode(self, chunk: Chunk) -> Events:
        """Decodes records in order.

        Raises:
            _BadRecordError: at the first that is no HIGGS record.
        """
        events, done = _undecoded(len(chunk))
        for places, rows in chunk.groups():
            found, done[places] = self._decode_alike(rows)
            if len(rows) == len(chunk):
                events = found
            else:
                events.features[places], events.labels[places] = found
        # What no template fits, and what a template found to be neither 0 nor 1.
        for index in np.flatnonzero(~done).tolist():
            events.features[index], events.labels[index] = _decode_at(chunk, index)
        return events

    def _decode_alike(self, rows: NDArray[np.uint8]) -> tuple[Events, NDArray[np.bool_]]:
        """Decodes records of one length as far as templates fit.

        Returns:
            The events, and bool [N]: which were decoded and have a valid label.
        """
        templates = self._templates.setdefault(rows.shape[1], [])
        events, done = _undecoded(len(rows))
        left = np.arange(len(rows))
        for attempt in range(_MAX_TEMPLATES):
            if attempt == len(templates):
                templates += _learn(rows[0].tobytes())
            if attempt == len(templates):
                break
            fits = templates[attempt].fits(rows)
            if fits.all() and len(rows) == len(done):  # The usual case, without another copy.
                events = templates[attempt].decode(rows)
                return events, _valid(events)
            found = templates[attempt].decode(rows[fits])
            events.features[left[fits]], events.labels[left[fits]] = found
            done[left[fits]] = _valid(found)
            rows, left = rows[~fits], left[~fits]
            if not left.size:
                break
        return events, done


def _undecoded(count: int) -> tuple[Events, NDArray[np.bool_]]:
    """Room for events, and that none is decoded."""
    events = Events(np.empty((count, NUM_FEATURES), np.float32), np.empty(count, np.float32))
    return events, np.zeros(count, np.bool_)


def _valid(events: Events) -> NDArray[np.bool_]:
    return (events.labels == 0) | (events.labels == 1)


def _decode_at(chunk: Chunk, index: int) -> tuple[NDArray[np.float32], np.float32]:
    try:
        return decode_record(chunk.record(index))
    except _BadRecordError as error:
        raise _BadRecordError(error.reason, index) from error


def _published_template() -> _Template:
    """The record that TensorFlow writes: map keys in order, the tensor as raw content."""
    tensor = protos.TensorProto(dtype=protos.DT_FLOAT, tensor_content=bytes(_FEATURE_BYTES))
    tensor.tensor_shape.dim.add(size=NUM_FEATURES)
    example = protos.Example()
    example.features.feature[FEATURES_KEY].bytes_list.value.append(tensor.SerializeToString())
    example.features.feature[LABEL].float_list.value.append(0.0)
    [template] = _learn(example.SerializeToString(deterministic=True))
    return template


_PUBLISHED = _published_template()


def encode_records(events: Events) -> list[bytes]:
    """Serializes each event as ``tf.train.Example``, byte for byte as TensorFlow does."""
    return split_rows(_PUBLISHED.encode(events))


def encode_events(events: Events) -> bytes:
    """The content of a TFRecord shard that holds the events."""
    return frame_equal(_PUBLISHED.encode(events))


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of splitmix64 (Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195)."""
    state = (state ^ state >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ state >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return state ^ state >> np.uint64(31)


# splitmix64's own sequence, one odd number for each of a record's 29 words.
_MULTIPLIERS = _mix(
    np.arange(1, NUM_FEATURES + 2, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
) | np.uint64(1)


def split_of(events: Events, buckets: Sequence[int]) -> NDArray[np.int64]:
    """Assigns each event a split by its own bytes alone, so the same in every run and layout.

    The hash is multilinear over the record's 29 little-endian 32-bit words (Lemire, Kaser 2014,
    doi:10.1093/comjnl/bxt070), finished by splitmix64.

    Args:
        events: the events to assign.
        buckets: each split's share, in whole numbers; (9, 1) gives nine tenths and one tenth.

    Returns:
        int64 [N], the place in `buckets` of each event's split.

    Raises:
        ValueError: there are no buckets, or one is not positive.
    """
    if not buckets or min(buckets) < 1:
        raise ValueError(f"buckets must be whole numbers of at least 1, not {list(buckets)}")
    words = np.column_stack([events.features, events.labels]).astype("<f4").view("<u4")
    hashes = _mix(words.astype(np.uint64) @ _MULTIPLIERS)
    bucket = (hashes % np.uint64(sum(buckets))).astype(np.int64)
    return np.searchsorted(np.cumsum(buckets), bucket, side="right")
