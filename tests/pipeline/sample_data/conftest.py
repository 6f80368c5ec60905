import io
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from formats.published.record import Events, read_events


@pytest.fixture(scope="session")
def make_events() -> Callable[..., Events]:
    def make(count: int, seed: int = 0) -> Events:
        rng = np.random.default_rng(seed)
        features = rng.normal(size=(count, 28)).astype(np.float32)
        return Events(features, (rng.random(count) < 0.53).astype(np.float32))

    return make


@pytest.fixture(scope="session")
def join() -> Callable[[Iterable[Events]], Events]:
    def joined(chunks: Iterable[Events]) -> Events:
        parts = [*chunks, Events(np.empty((0, 28), np.float32), np.empty(0, np.float32))]
        return Events(*map(np.concatenate, zip(*parts, strict=True)))

    return joined


@pytest.fixture(scope="session")
def read_folder(join) -> Callable[[Path], Events]:
    """All events of a folder's shards, in the order of their names."""

    def read(folder: Path) -> Events:
        files = sorted(folder.glob("*.tfrecord"))
        return join(e for f in files for e in read_events(io.BytesIO(f.read_bytes()), f.name))

    return read


@pytest.fixture(scope="session")
def same() -> Callable[[Events, Events], bool]:
    def equal(first: Events, second: Events) -> bool:
        return all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))

    return equal
