import numpy as np
import pytest
from event_makers import make_events

from components.example_gen.hash_split import assign_splits
from formats.published.record import Events


def test_splits_never_change():
    events = Events(
        np.arange(28 * 8, dtype=np.float32).reshape(8, 28), np.arange(8, dtype=np.float32) % 2
    )

    assert assign_splits(events, (2, 1)).tolist() == [0, 1, 1, 0, 0, 0, 0, 0]


def test_split_depends_on_the_record_alone():
    events = make_events(1000)
    expected = assign_splits(events, (3, 1, 1))
    order = np.random.default_rng(1).permutation(1000)

    shuffled = assign_splits(Events(events.features[order], events.labels[order]), (3, 1, 1))
    single = [
        assign_splits(Events(f[None], y[None]), (3, 1, 1))[0] for f, y in zip(*events, strict=True)
    ]

    assert shuffled.tolist() == expected[order].tolist()
    assert single == expected.tolist()


def test_shares_are_those_of_the_buckets():
    shares = np.bincount(assign_splits(make_events(100_000), (8, 1, 1))) / 100_000

    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.005)


@pytest.mark.parametrize("column", range(29))
def test_split_depends_on_every_column(column):
    events = make_events(2000)
    features, labels = (part.copy() for part in events)
    if column < 28:
        features[:, column] = np.nextafter(features[:, column], np.float32(9))
    else:
        labels = 1 - labels

    changed = assign_splits(Events(features, labels), (1, 1)) != assign_splits(events, (1, 1))

    assert changed.mean() == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("buckets", [(), (1, 0), (-1, 2)])
def test_buckets_without_a_share_are_rejected(buckets):
    with pytest.raises(ValueError, match="whole numbers of at least 1"):
        assign_splits(make_events(2), buckets)
