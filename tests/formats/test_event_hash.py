import numpy as np
import pytest
from event_makers import make_events

from formats.event_hash import event_hashes


def test_hashes_depend_on_every_feature_and_on_the_order():
    features = make_events(2).features
    base = event_hashes(features[:1])
    for column in range(28):
        changed = features[:1].copy()
        changed[0, column] = np.nextafter(changed[0, column], np.float32(9))
        assert event_hashes(changed) != base
    assert event_hashes(features[:1, ::-1]) != base


def test_hashes_never_change():
    features = np.arange(28, dtype=np.float32)[None] / 4
    assert [hex(value) for value in event_hashes(features)] == ["0xf7d70a5c8faceabd"]


def test_zero_and_minus_zero_are_equal():
    features = np.zeros((2, 28), np.float32)
    features[1] = -0.0
    first, second = event_hashes(features)
    assert first == second


def test_a_signaling_nan_has_the_hash_of_a_nan():
    features = np.zeros((2, 28), np.float32)
    features.view(np.uint32)[:, 5] = 0x7F800001, 0x7FC00001
    first, second = event_hashes(features)
    assert first == second


@pytest.mark.slow
def test_different_events_have_different_hashes():
    features = np.random.default_rng(1).normal(size=(200_000, 28)).astype(np.float32)
    assert len(np.unique(event_hashes(features))) == 200_000
