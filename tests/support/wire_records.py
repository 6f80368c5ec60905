"""Records built byte by byte, in every encoding that a writer may choose."""

import numpy as np


def field(number: int, data: bytes) -> bytes:
    """A length-delimited field (all lengths here are below 2**14)."""
    size = len(data)
    varint = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
    return bytes([number << 3 | 2]) + varint + data


def floats(number: int, values, packed: bool) -> bytes:
    data = np.asarray(values, "<f4").tobytes()
    if packed:
        return field(number, data)
    cells = (data[i : i + 4] for i in range(0, len(data), 4))
    return b"".join(bytes([number << 3 | 5]) + cell for cell in cells)


def tensor(features, encoding="content", dtype=1, shape=(28,)) -> bytes:
    dims = b"".join(field(2, bytes([8, size])) for size in shape)
    head = bytes([8, dtype]) + field(2, dims)
    if encoding == "content":
        return head + field(4, np.asarray(features, "<f4").tobytes())
    return head + floats(5, features, encoding == "packed")


def entry(key: str, feature: bytes) -> bytes:
    return field(1, field(1, key.encode()) + field(2, feature))


def record(features, label, encoding="content", label_first=False, packed=True) -> bytes:
    """A HIGGS record; ``encoding`` is that of the tensor: content, packed or unpacked."""
    entries = [
        entry("features", field(1, field(1, tensor(features, encoding)))),
        entry("label", field(2, floats(1, [label], packed))),
    ]
    return field(1, b"".join(entries[::-1] if label_first else entries))


def example(**entries: bytes) -> bytes:
    return field(1, b"".join(entry(key, feature) for key, feature in entries.items()))
