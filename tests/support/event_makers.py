"""Random events, and comparisons of events bit for bit."""

from collections.abc import Iterable, Iterator

import numpy as np
import wire_records as wire

from formats.features import DISCRETE_VALUES, FEATURES, NUM_FEATURES
from formats.published.record import Events
from pipeline.sample_data import monte_carlo


def make_events(count: int, seed: int = 0) -> Events:
    """Normal features, some of them zero, and 53 % signal."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, NUM_FEATURES)).astype(np.float32)
    features[rng.random(features.shape) < 0.2] = 0  # as untagged jets are
    return Events(features, (rng.random(count) < 0.53).astype(np.float32))


def make_valid_events(count: int) -> Events:
    """Events whose discrete columns take every allowed value in turn."""
    events = make_events(count)
    for name, allowed in DISCRETE_VALUES.items():
        events.features[:, FEATURES.index(name)] = np.resize(np.float32(allowed), count)
    return events


def make_published_events(count: int, seed: int = 0) -> Events:
    """Events inside every domain and with allowed b-tags, all of them different."""
    rng = np.random.default_rng(seed)
    features = rng.uniform(0.1, 1.7, (count, NUM_FEATURES)).astype(np.float32)
    for name, allowed in DISCRETE_VALUES.items():
        features[:, FEATURES.index(name)] = rng.choice(np.float32(allowed), count)
    return Events(features, (rng.random(count) < 0.53).astype(np.float32))


def toy_events(count: int, seed: int = 0) -> Events:
    """Events of the toy Monte Carlo, whose masses follow from their momenta."""
    return select(join_events(monte_carlo.generate(count, seed)), slice(count))


def to_records(features: np.ndarray) -> list[bytes]:
    """Records of the published layout without a label, as TensorFlow writes them."""
    return [
        wire.example(features=wire.field(1, wire.field(1, wire.tensor(row)))) for row in features
    ]


def select(events: Events, rows: slice | np.ndarray) -> Events:
    return Events(events.features[rows], events.labels[rows])


def in_chunks(events: Events, size: int) -> Iterator[Events]:
    return (select(events, slice(i, i + size)) for i in range(0, len(events.labels), size))


def join_events(chunks: Iterable[Events]) -> Events:
    parts = [*chunks, make_events(0)]
    return Events(*map(np.concatenate, zip(*parts, strict=True)))


def same_events(first: Events, second: Events) -> bool:
    """NaN equals NaN, and 0 is not -0."""
    return all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))
