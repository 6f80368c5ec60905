"""Records written by hand, in every encoding a writer may choose."""

from collections.abc import Callable

import numpy as np
import pytest

from formats.published.record import Events


def _field(number: int, data: bytes) -> bytes:
    """A length-delimited field on the wire (all lengths here are below 2**14)."""
    size = len(data)
    varint = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
    return bytes([number << 3 | 2]) + varint + data


def _floats(number: int, values, packed: bool) -> bytes:
    data = np.asarray(values, "<f4").tobytes()
    if packed:
        return _field(number, data)
    cells = (data[i : i + 4] for i in range(0, len(data), 4))
    return b"".join(bytes([number << 3 | 5]) + cell for cell in cells)


class Wire:
    """Builds records byte by byte, independently of the code under test."""

    field = staticmethod(_field)
    floats = staticmethod(_floats)

    @staticmethod
    def tensor(features, encoding="content", dtype=1, shape=(28,)) -> bytes:
        dims = b"".join(_field(2, bytes([8, size])) for size in shape)
        head = bytes([8, dtype]) + _field(2, dims)
        if encoding == "content":
            return head + _field(4, np.asarray(features, "<f4").tobytes())
        return head + _floats(5, features, encoding == "packed")

    @staticmethod
    def entry(key: str, feature: bytes) -> bytes:
        return _field(1, _field(1, key.encode()) + _field(2, feature))

    @classmethod
    def record(cls, features, label, encoding="content", label_first=False, packed=True) -> bytes:
        tensor = cls.tensor(features, encoding)
        entries = [
            cls.entry("features", _field(1, _field(1, tensor))),
            cls.entry("label", _field(2, _floats(1, [label], packed))),
        ]
        return _field(1, b"".join(entries[::-1] if label_first else entries))

    @classmethod
    def of(cls, **entries: bytes) -> bytes:
        return _field(1, b"".join(cls.entry(key, feature) for key, feature in entries.items()))


@pytest.fixture(scope="session")
def wire() -> type[Wire]:
    return Wire


@pytest.fixture(scope="session")
def make_events() -> Callable[..., Events]:
    def make(count: int, seed: int = 0) -> Events:
        rng = np.random.default_rng(seed)
        features = rng.normal(size=(count, 28)).astype(np.float32)
        features[rng.random(features.shape) < 0.2] = 0  # as untagged jets are
        return Events(features, (rng.random(count) < 0.53).astype(np.float32))

    return make
