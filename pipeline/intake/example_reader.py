"""Reader of TFRecord files: the published layout, and other forms of ``tf.train.Example``.

The other forms are parsed one by one with TensorFlow's protos: a tensor of 28 numbers of any type
and shape, a list of 28 floats, or one key per column; labels are floats or integers.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from formats.column_names import known_column
from formats.features import FEATURES, LABEL, NUM_FEATURES
from formats.published.record import PUBLISHED_STARTS, Events, read_events
from formats.published.record_parser import FEATURES_KEY, InvalidRecordError
from formats.published.tfrecord import RecordError, iter_chunks
from pipeline.intake.array_tables import ArrayChoice
from pipeline.intake.byte_streams import HEAD_BYTES
from pipeline.intake.input_members import Member
from pipeline.intake.intake_error import IntakeError, enumerate_names, quote
from pipeline.intake.table import Batch, Table, make_batch

_FLOATS = {1: "f4", 2: "f8", 19: "f2"}  # Of types_pb2: DT_FLOAT, DT_DOUBLE, DT_HALF.


class _Form(NamedTuple):
    """How the records of a file hold an event.

    Attributes:
        vector: key of the 28 features, if they are under one key.
        scalars: keys of one number or text each.
        others: keys of anything else, which are left out.
    """

    vector: str | None
    scalars: tuple[str, ...]
    others: frozenset[str]


def open_records(member: Member, choice: ArrayChoice, *, has_label_values: bool) -> Table:
    """Opens a TFRecord file; its form is that of its first record.

    Args:
        member: the file.
        choice: names of the keys.
        has_label_values: whether options say which labels are signal and background.

    Raises:
        IntakeError: the file has no records of ``tf.train.Example``, or none with 28 features.
    """
    # The usual case, without TensorFlow.
    starts = (
        is_labelled
        for start, is_labelled in PUBLISHED_STARTS.items()
        if member.head[12:].startswith(start)
    )
    is_labelled = None if has_label_values else next(starts, None)
    if is_labelled is not None:
        return _published_table(member, choice, is_labelled)
    example = _first_example(member)
    if _is_published(example) and not has_label_values:
        return _published_table(member, choice, LABEL in example.features.feature)
    form = _find_form(member.name, example, choice)
    names = (*(FEATURES if form.vector else ()), *form.scalars)
    notes = (
        [f"{member.name}: left out {enumerate_names(sorted(form.others))}"] if form.others else []
    )
    read, is_vector = _read_examples(member, form), form.vector is not None
    return Table(member.name, member.description, names, read, notes, has_vectors=is_vector)


def _published_table(member: Member, choice: ArrayChoice, is_labelled: bool) -> Table:
    def read(numbers: Sequence[int], texts: Sequence[int]) -> Iterator[Batch]:
        start, indices = 0, (*numbers, *texts)
        for events in _published_events(member, choice, is_labelled=NUM_FEATURES in indices):
            columns = {
                i: events.labels if i == NUM_FEATURES else events.features[:, i] for i in indices
            }
            yield make_batch(columns, start, "record", None)
            start += len(events.labels)

    names = (*FEATURES, LABEL) if is_labelled else FEATURES
    return Table(member.name, member.description, names, read, [], has_vectors=True)


def _first_example(member: Member) -> Any:
    from tensorflow.core.example import example_pb2

    length = int.from_bytes(member.head[:8], "little")
    if length + 12 > HEAD_BYTES:
        raise IntakeError(
            f"{member.name}: record 1 has {length:,} bytes; an event has a few hundred. Write "
            "one record per event, with its numbers only."
        )
    record = member.head[12 : 12 + length]
    example = _parse_proto(example_pb2.Example, record)
    sequence = _parse_proto(example_pb2.SequenceExample, record)
    if (
        not example
        or not example.features.feature
        or (sequence and sequence.feature_lists.ByteSize())
    ):
        raise IntakeError(
            f"{member.name}: record 1 is not a tf.train.Example with keys. Write records of this "
            "type, with one key per column or with 'features' and 'label'."
        )
    return example


def _is_published(example: Any) -> bool:
    features = example.features.feature
    return (
        {FEATURES_KEY} <= {*features} <= {FEATURES_KEY, LABEL}
        and (LABEL not in features or features[LABEL].WhichOneof("kind") == "float_list")
        and _is_published_tensor(features[FEATURES_KEY])
    )


def _is_published_tensor(feature: Any) -> bool:
    from tensorflow.core.framework import tensor_pb2

    if len(feature.bytes_list.value) != 1:
        return False
    tensor = _parse_proto(tensor_pb2.TensorProto, feature.bytes_list.value[0])
    return (
        tensor is not None
        and tensor.dtype == 1
        and [dim.size for dim in tensor.tensor_shape.dim] == [NUM_FEATURES]
    )


def _find_form(name: str, example: Any, choice: ArrayChoice) -> _Form:
    features = example.features.feature
    keys = sorted(features)
    vector = choice.features or FEATURES_KEY
    label = choice.label or next((key for key in keys if known_column(key) == LABEL), None)
    scalars = tuple(
        key
        for key in keys
        if key != vector and (len(_values(features, key)[1]) == 1 or key == label)
    )
    known = [key for key in keys if known_column(key) not in (None, LABEL)]
    if vector not in features and len(known) < NUM_FEATURES // 2:
        raise IntakeError(
            f"{name}: record 1 has no key '{vector}' and no keys named like the features; its "
            f"keys: {enumerate_names(keys) or 'none'}. Name the key of the {NUM_FEATURES} features "
            f"with --features{' and that of the label with --label' * choice.is_labelled}."
        )
    others = frozenset(keys) - {vector, *scalars}
    return _Form(vector if vector in features else None, scalars, others)


def _published_events(
    member: Member, choice: ArrayChoice, *, is_labelled: bool
) -> Iterator[Events]:
    keys = () if is_labelled else None
    try:
        yield from read_events(member.stream, member.name, keys, is_labelled=is_labelled)
    except RecordError as error:
        if not isinstance(error.__cause__, InvalidRecordError) or error.number is None:
            raise
        unlike = ", unlike the records before it" * bool(error.number)
        other = "; if the label has other values than 0 and 1, name them with --signal VALUE"
        other += " --background VALUE"
        raise IntakeError(
            f"{member.name}: record {error.number + 1} {error.reason}{unlike}. Correct or leave "
            f"out the record{other * (choice.is_labelled and 'has the label' in error.reason)}."
        ) from error


def _read_examples(member: Member, form: _Form) -> Any:
    from tensorflow.core.example import example_pb2

    offset = NUM_FEATURES if form.vector else 0
    known = {form.vector, *form.scalars, *form.others}

    def read(numbers: Sequence[int], texts: Sequence[int]) -> Iterator[Batch]:
        keys = {i: form.scalars[i - offset] for i in (*numbers, *texts) if i >= offset}
        start = 0
        for chunk in iter_chunks(member.stream, member.name):
            vectors = np.empty((len(chunk), offset))
            scalars: dict[int, list[int | float | str]] = {i: [] for i in keys}
            for row, record in enumerate(chunk):
                with _record_named(member.name, start + row + 1):
                    features = example_pb2.Example.FromString(record).features.feature
                    _check_keys(features, known)
                    if form.vector:
                        vectors[row] = _parse_vector(features, form.vector)
                    for i, key in keys.items():
                        scalars[i].append(_parse_scalar(features, key, is_text=i in texts))
            columns = {i: vectors[:, i] for i in (*numbers, *texts) if i < offset}
            columns |= {i: _to_column(values) for i, values in scalars.items()}
            yield make_batch(columns, start, "record", None)
            start += len(chunk)

    return read


@contextmanager
def _record_named(name: str, number: int) -> Iterator[None]:
    """Adds the record to errors of parsing it."""
    from google.protobuf.message import DecodeError

    try:
        yield
    except (_RecordError, DecodeError, SystemError) as error:  # the last from protobuf
        reason = str(error) if isinstance(error, _RecordError) else "is not a tf.train.Example"
        raise IntakeError(
            f"{name}: record {number} {reason}. Correct or leave out the record."
        ) from error


class _RecordError(ValueError):
    """The fault of a record, as the predicate of a sentence."""


def _check_keys(features: Any, known: set[str | None]) -> None:
    if others := [key for key in features if key not in known]:
        raise _RecordError(f"has keys that record 1 does not have: {enumerate_names(others)}")


def _to_column(values: list[int | float | str]) -> Any:
    """Makes an array of numbers, or of objects if there are texts."""
    is_text = any(isinstance(value, str) for value in values)
    return np.array(values, object if is_text else None)


def _values(features: Any, key: str) -> tuple[str | None, Any]:
    """Returns the kind of a feature and its values."""
    if key not in features:
        raise _RecordError(f"has no key {quote(key)}; it has {enumerate_names(sorted(features))}")
    kind = features[key].WhichOneof("kind")
    return kind, getattr(features[key], kind).value if kind else ()


def _parse_scalar(features: Any, key: str, *, is_text: bool) -> int | float | str:
    kind, values = _values(features, key)
    if len(values) != 1 or (kind == "bytes_list" and not is_text):
        expected = "number or text" if is_text else "number"
        raise _RecordError(
            f"has {len(values)} values of {kind} in {quote(key)}, not one {expected}"
        )
    if kind != "bytes_list":
        return values[0]
    try:
        return values[0].decode()
    except UnicodeDecodeError as error:
        raise _RecordError(f"has bytes in {quote(key)} that are not UTF-8 text") from error


def _parse_vector(features: Any, key: str) -> Any:
    kind, values = _values(features, key)
    if kind == "bytes_list" and len(values) == 1:
        values = _parse_tensor(values[0], key)
    if len(values) != NUM_FEATURES:
        raise _RecordError(f"has {len(values)} values in {quote(key)}, not {NUM_FEATURES}")
    try:
        return np.asarray(values, np.float64)
    except ValueError as error:
        raise _RecordError(f"has values in {quote(key)} that are not numbers") from error


def _parse_proto(message: Any, data: bytes) -> Any:
    """Parses a message; returns None if the bytes are not one."""
    from google.protobuf.message import DecodeError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return message.FromString(data)
    except (DecodeError, SystemError):
        return None


def _parse_tensor(data: bytes, key: str) -> Any:
    from tensorflow import make_ndarray
    from tensorflow.core.framework import tensor_pb2

    tensor = _parse_proto(tensor_pb2.TensorProto, data)
    if tensor is None or tensor.dtype == 0:
        raise _RecordError(
            f"holds {len(data)} raw bytes in {quote(key)}, not a serialized tensor "
            "(`tf.io.serialize_tensor` writes them)"
        )
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    if [size for size in sizes if size != 1] != [NUM_FEATURES]:
        hint = "; write one record per event" if sizes[1:] == [NUM_FEATURES] else ""
        raise _RecordError(
            f"holds a tensor of shape {sizes} in {quote(key)}, not [{NUM_FEATURES}]{hint}"
        )
    try:
        if tensor.dtype in _FLOATS and tensor.tensor_content:
            return np.frombuffer(tensor.tensor_content, "<" + _FLOATS[tensor.dtype])
        values = make_ndarray(tensor).reshape(-1)
    except (KeyError, TypeError, ValueError) as error:
        raise _RecordError(
            f"holds a tensor in {quote(key)} that cannot be read: of type {tensor.dtype}, with "
            f"{len(tensor.tensor_content)} bytes"
        ) from error
    if np.iscomplexobj(values):
        raise _RecordError(f"holds complex numbers in {quote(key)}")
    return values
