import numpy as np
import pytest
from event_makers import make_events

from components.example_gen.hash_split import assign_splits
from formats.event_hash import event_hashes

HASHES = event_hashes(make_events(100_000).features)


def test_splits_never_change():
    hashes = event_hashes(np.arange(28 * 8, dtype=np.float32).reshape(8, 28))

    assert assign_splits(hashes, (2, 1)).tolist() == [0, 0, 1, 0, 0, 0, 0, 0]


def test_split_depends_on_the_event_alone():
    hashes = HASHES[:1000]
    order = np.random.default_rng(1).permutation(1000)
    expected = assign_splits(hashes, (3, 1, 1))

    shuffled = assign_splits(hashes[order], (3, 1, 1))
    single = [assign_splits(hash_[None], (3, 1, 1))[0] for hash_ in hashes]

    assert shuffled.tolist() == expected[order].tolist()
    assert single == expected.tolist()


def test_shares_are_those_of_the_buckets():
    shares = np.bincount(assign_splits(HASHES, (8, 1, 1))) / len(HASHES)

    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.005)


@pytest.mark.parametrize("column", range(28))
def test_split_depends_on_every_feature(column):
    features = make_events(2000).features
    features[:, column] = np.nextafter(features[:, column], np.float32(9))

    changed = assign_splits(event_hashes(features), (1, 1)) != assign_splits(HASHES[:2000], (1, 1))

    assert changed.mean() == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("buckets", [(), (1, 0), (-1, 2)])
def test_buckets_without_a_share_are_rejected(buckets):
    with pytest.raises(ValueError, match="whole numbers of at least 1"):
        assign_splits(HASHES[:2], buckets)
