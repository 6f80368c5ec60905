"""``tf.train.Example`` and ``TensorProto`` without TensorFlow, whose import takes seconds.

The messages are declared here field by field in a descriptor pool of their own,
so they clash with nothing when TensorFlow is loaded too. They hold the fields a
HIGGS record uses and keep TensorFlow's numbers and types (example.proto,
feature.proto, tensor.proto and tensor_shape.proto under tensorflow/core), so
they are wire compatible: packed and unpacked numbers are both read, and fields
not declared are skipped.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "higgs.wire"
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bool": _Field.TYPE_BOOL,
    "bytes": _Field.TYPE_BYTES,
    "float": _Field.TYPE_FLOAT,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "string": _Field.TYPE_STRING,
}

# Message -> field -> (number, type, repeated). A type that is no scalar names a message.
_MESSAGES = {
    "BytesList": {"value": (1, "bytes", True)},
    "FloatList": {"value": (1, "float", True)},
    "Int64List": {"value": (1, "int64", True)},
    "Feature": {
        "bytes_list": (1, "BytesList", False),
        "float_list": (2, "FloatList", False),
        "int64_list": (3, "Int64List", False),
    },
    "Features": {"feature": (1, "Features.FeatureEntry", True)},
    "Example": {"features": (1, "Features", False)},
    "Dim": {"size": (1, "int64", False)},
    "TensorShape": {"dim": (2, "Dim", True), "unknown_rank": (3, "bool", False)},
    "TensorProto": {
        "dtype": (1, "int32", False),
        "tensor_shape": (2, "TensorShape", False),
        "tensor_content": (4, "bytes", False),
        "float_val": (5, "float", True),
    },
}


def _add_field(
    message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str, repeated: bool
) -> None:
    field = message.field.add(
        name=name,
        number=number,
        label=_Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL,
        type=_SCALARS.get(kind, _Field.TYPE_MESSAGE),
    )
    if kind not in _SCALARS:
        field.type_name = f".{_PACKAGE}.{kind}"


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="higgs/wire.proto", package=_PACKAGE, syntax="proto3"
    )
    messages = {name: file.message_type.add(name=name) for name in _MESSAGES}
    for name, fields in _MESSAGES.items():
        for field, (number, kind, repeated) in fields.items():
            _add_field(messages[name], field, number, kind, repeated)
    # The lists are one oneof, so that the last one on the wire wins.
    messages["Feature"].oneof_decl.add(name="kind")
    for field_proto in messages["Feature"].field:
        field_proto.oneof_index = 0
    entry = messages["Features"].nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    _add_field(entry, "key", 1, "string", False)
    _add_field(entry, "value", 2, "Feature", False)
    return file


def _message_class(name: str, factory: message_factory.MessageFactory) -> Any:
    return factory.GetPrototype(factory.pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


def _factory() -> message_factory.MessageFactory:
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file())
    return message_factory.MessageFactory(pool)


_FACTORY = _factory()

Example: Any = _message_class("Example", _FACTORY)
"""One record: a map from key to ``bytes_list``, ``float_list`` or ``int64_list``."""

TensorProto: Any = _message_class("TensorProto", _FACTORY)
"""One tensor, as ``tf.io.serialize_tensor`` writes it."""

DT_FLOAT = 1
"""``TensorProto.dtype`` of float32."""

# tensorflow/core/framework/types.proto, codes 0 to 23.
_DTYPE_NAMES = tuple(
    """INVALID FLOAT DOUBLE INT32 UINT8 INT16 INT8 STRING COMPLEX64 INT64 BOOL QINT8 QUINT8 QINT32
    BFLOAT16 QINT16 QUINT16 UINT16 COMPLEX128 HALF RESOURCE VARIANT UINT32 UINT64""".split()  # noqa: SIM905
)


def dtype_name(dtype: int) -> str:
    """TensorFlow's name of a ``TensorProto.dtype`` code, such as ``DT_DOUBLE``."""
    return f"DT_{_DTYPE_NAMES[dtype]}" if 0 <= dtype < len(_DTYPE_NAMES) else f"dtype {dtype}"
