"""The record codec: published HIGGS records to arrays and back, bit for bit.

Nearly all records of a shard differ only in their payload: 112 bytes of features and 4 of the
label. Records that agree with a template everywhere else are decoded by array slicing; see
`_Template` for why that is exact. The first template is the published encoding. Records in other
encodings are parsed with TensorFlow's protos, and a template is learned from them.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from formats.features import NUM_FEATURES
from formats.published.record_parser import (
    FEATURE_BYTES,
    InvalidRecordError,
    locate_additional,
    parse_record,
)
from formats.published.tfrecord import Chunk, RecordError, frame_equal, iter_chunks, split_rows

_LABEL_BYTES = 4
_MAX_TEMPLATES = 24  # The number of orders of four keys.
_REMEDY = (
    "Expected the published layout: 'features', one serialized float32 tensor of shape "
    f"[{NUM_FEATURES}], and 'label', one 0.0 or 1.0; `higgs convert` makes it from other forms."
)


class Events(NamedTuple):
    """Collision events.

    Attributes:
        features: float32 [N, 28], columns in the order of `formats.features.FEATURES`.
        labels: float32 [N], 1.0 signal, 0.0 background.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.float32]


def read_events(
    stream: BinaryIO,
    source: str,
    ignored_keys: Collection[str] | None = (),
    *,
    is_labelled: bool = True,
) -> Iterator[Events]:
    """Reads a shard, some thousand events at a time, in file order.

    Args:
        stream: the shard, plain or gzip; it need not be seekable.
        source: the shard's name, for messages.
        ignored_keys: keys besides features and label that records may have; they are dropped. None
            drops any.
        is_labelled: whether every record must have a label; if not, a label may be missing, which
            gives NaN, or have any value.

    Raises:
        RecordError: at the first record that is not a HIGGS record, or the first damage.
            All events of earlier chunks have been yielded by then.

    >>> import io
    >>> ones = Events(np.ones((2, NUM_FEATURES), np.float32), np.ones(2, np.float32))
    >>> [events] = read_events(io.BytesIO(encode_events(ones)), "shard")
    >>> events.features.shape, events.labels.tolist()
    ((2, 28), [1.0, 1.0])
    """
    keys = None if ignored_keys is None else frozenset(ignored_keys)
    decoder = _Decoder(keys, is_labelled)
    count = 0
    for chunk in iter_chunks(stream, source):
        try:
            yield decoder.decode(chunk)
        except InvalidRecordError as error:
            remedy = error.remedy or _REMEDY
            raise RecordError(source, count + error.index, error.reason, remedy) from error
        count += len(chunk)


def encode_records(events: Events) -> list[bytes]:
    """Serializes each event as ``tf.train.Example``, byte for byte as TensorFlow does."""
    return split_rows(_PUBLISHED.encode(events))


def encode_events(events: Events) -> bytes:
    """Returns the content of a TFRecord shard that holds the events."""
    return frame_equal(_PUBLISHED.encode(events))


class _Template(NamedTuple):
    """The position of the payload in records that equal this one in every other byte.

    The bytes outside the payload determine the structure of the proto, since the payload lies
    inside values of fixed length. If parsing one record has shown that its payload is at these
    positions, it is there in every record that agrees with it everywhere else.

    Attributes:
        record: uint8 [length], one such record.
        features: slice of the 112 bytes of features.
        label: slice of the 4 bytes of the label; empty, at the end, without a label.
        ignored: slices of the values of ignored keys, which may hold anything: they are fields with
            a length of their own, so that their bytes do not affect the structure either.
    """

    record: NDArray[np.uint8]
    features: slice
    label: slice
    ignored: tuple[slice, ...] = ()

    def matches(self, rows: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Returns which rows of a uint8 [N, length] agree outside the payload: bool [N]."""
        varying = sorted((self.features, self.label, *self.ignored), key=lambda part: part.start)
        starts = [0, *(part.stop for part in varying)]
        stops = [*(part.start for part in varying), None]
        equal = np.ones(len(rows), np.bool_)
        for part in map(slice, starts, stops):
            if len(template := self.record[part]):
                # NumPy compares one value per row five times as fast as byte by byte.
                value = np.dtype((np.void, len(template)))
                equal &= rows[:, part].view(value)[:, 0] == template.view(value)
        return equal

    def decode(self, rows: NDArray[np.uint8]) -> Events:
        """Slices the payload out of rows that match."""
        features = rows[:, self.features].copy().view("<f4")
        if self.label.start == self.label.stop:
            return Events(features, np.full(len(rows), np.nan, np.float32))
        return Events(features, rows[:, self.label].copy().view("<f4").ravel())

    def encode(self, events: Events) -> NDArray[np.uint8]:
        """Sets payloads into copies of this record: uint8 [N, length]."""
        rows = np.tile(self.record, (len(events.labels), 1))
        rows[:, self.features] = np.ascontiguousarray(events.features, "<f4").view(np.uint8)
        rows[:, self.label] = np.ascontiguousarray(events.labels, "<f4")[:, None].view(np.uint8)
        return rows


_BEFORE_FEATURES = (
    b"\x0a\x8a\x01"  # Features.feature, first entry
    b"\x0a\x08features"  # its key
    b"\x12\x7e\x0a\x7c\x0a\x7a"  # its value: Feature.bytes_list, BytesList.value
    b"\x08\x01"  # TensorProto.dtype = DT_FLOAT
    b"\x12\x04\x12\x02\x08\x1c"  # TensorProto.tensor_shape.dim.size = 28
    b"\x22\x70"  # TensorProto.tensor_content
)
_BEFORE_LABEL = (
    b"\x0a\x11"  # Features.feature, second entry
    b"\x0a\x05label"  # its key
    b"\x12\x08\x12\x06\x0a\x04"  # its value: Feature.float_list, FloatList.value, packed
)


def _published_template(start: bytes, label: bytes) -> _Template:
    """Builds the record that TensorFlow writes: map keys in order, the tensor as raw content.

    Args:
        start: Example.features with its length.
        label: the bytes between features and label; empty for records without a label.
    """
    before_features = start + _BEFORE_FEATURES
    features = slice(len(before_features), len(before_features) + FEATURE_BYTES)
    label_bytes = _LABEL_BYTES if label else 0
    label_start = features.stop + len(label)
    record = before_features + bytes(FEATURE_BYTES) + label + bytes(label_bytes)
    return _Template(
        np.frombuffer(record, np.uint8), features, slice(label_start, label_start + label_bytes)
    )


_PUBLISHED = _published_template(b"\x0a\xa0\x01", _BEFORE_LABEL)
_UNLABELLED = _published_template(b"\x0a\x8d\x01", b"")

PUBLISHED_STARTS = {
    part.record[: part.features.start].tobytes(): is_labelled
    for part, is_labelled in ((_PUBLISHED, True), (_UNLABELLED, False))
}
"""The bytes before the features in records as published, and whether a label follows them."""


# Values that do not occur in records: if they are read back, the planted bytes were read.
_PLANTED = ((np.arange(NUM_FEATURES) + 0.7310586).astype("<f4"), np.float32(0.2689414))


def _learn_template(
    record: bytes, ignored_keys: frozenset[str] | None, is_labelled: bool
) -> _Template | None:
    """Learns the template of a record; None if it is invalid or its payload is scattered."""
    try:
        _, value = parse_record(record, ignored_keys, is_labelled=is_labelled)
        features = _locate(record, 0, is_labelled)
        # A label that is not read is part of the template.
        end = slice(len(record), len(record))
        label = end if np.isnan(value) else _locate(record, 1, is_labelled)
    except InvalidRecordError:
        return None
    ignored = tuple(locate_additional(record))
    return _Template(np.frombuffer(record, np.uint8), features, label, ignored)


def _locate(record: bytes, field: int, is_labelled: bool) -> slice:
    """Locates features (0) or label (1): values planted there are the ones parsed."""
    parsed = parse_record(record, is_labelled=is_labelled)
    part, planted = parsed[field].tobytes(), _PLANTED[field].tobytes()
    start = record.find(part)
    while start >= 0:
        position = slice(start, start + len(part))
        with suppress(InvalidRecordError):
            changed = record[:start] + planted + record[position.stop :]
            parsed = parse_record(changed, is_labelled=is_labelled)
            if parsed[field].tobytes() == planted:
                return position
        start = record.find(part, start + 1)
    raise InvalidRecordError("does not keep its payload in one place")


class _Decoder:
    """Decodes the chunks of a shard; keeps the templates between them."""

    def __init__(self, ignored_keys: frozenset[str] | None, is_labelled: bool) -> None:
        self._templates = {len(_PUBLISHED.record): [_PUBLISHED]}
        self._ignored_keys, self._is_labelled = ignored_keys, is_labelled
        if not is_labelled:
            self._templates[len(_UNLABELLED.record)] = [_UNLABELLED]

    def decode(self, chunk: Chunk) -> Events:
        """Decodes records in order.

        Raises:
            InvalidRecordError: at the first that is not a HIGGS record.
        """
        events, is_decoded = _allocate(len(chunk))
        for indices, rows in chunk.groups():
            group, is_decoded[indices] = self._decode_group(rows)
            if len(rows) == len(chunk):
                events = group
            else:
                events.features[indices], events.labels[indices] = group
        # Records that match no template, or whose label is neither 0 nor 1.
        for index in np.flatnonzero(~is_decoded).tolist():
            events.features[index], events.labels[index] = self._decode_single(chunk, index)
        return events

    def _decode_group(self, rows: NDArray[np.uint8]) -> tuple[Events, NDArray[np.bool_]]:
        """Decodes those records of one length that match a template.

        Returns:
            The events, and bool [N]: those that were decoded and have a valid label.
        """
        templates = self._templates.setdefault(rows.shape[1], [])
        events, is_decoded = _allocate(len(rows))
        remaining = np.arange(len(rows))
        for attempt in range(_MAX_TEMPLATES):
            if attempt == len(templates):
                record = rows[0].tobytes()
                template = _learn_template(record, self._ignored_keys, self._is_labelled)
                if template is None:
                    break
                templates.append(template)
            matches = templates[attempt].matches(rows)
            if matches.all() and len(rows) == len(is_decoded):  # The usual case: no other copy.
                events = templates[attempt].decode(rows)
                return events, self._has_valid_label(events)
            indices = remaining[matches]
            decoded = templates[attempt].decode(rows[matches])
            events.features[indices], events.labels[indices] = decoded
            is_decoded[indices] = self._has_valid_label(decoded)
            rows, remaining = rows[~matches], remaining[~matches]
            if not remaining.size:
                break
        return events, is_decoded

    def _has_valid_label(self, events: Events) -> NDArray[np.bool_]:
        if not self._is_labelled:
            return np.ones(len(events.labels), np.bool_)
        return (events.labels == 0) | (events.labels == 1)

    def _decode_single(self, chunk: Chunk, index: int) -> tuple[NDArray[np.float32], np.float32]:
        """Decodes one record with TensorFlow's protos."""
        try:
            features, label = parse_record(
                chunk.record(index), self._ignored_keys, is_labelled=self._is_labelled
            )
        except InvalidRecordError as error:
            raise InvalidRecordError(error.reason, index, error.remedy) from error
        if self._is_labelled and label not in (0.0, 1.0):
            reason = f"has the label {label:g}, which is neither 0 nor 1"
            raise InvalidRecordError(reason, index)
        return features, label


def _allocate(count: int) -> tuple[Events, NDArray[np.bool_]]:
    """Allocates events, and a mask of the decoded ones, initially none."""
    events = Events(np.empty((count, NUM_FEATURES), np.float32), np.empty(count, np.float32))
    return events, np.zeros(count, np.bool_)
