import numpy as np
from event_makers import make_published_events

from pipeline.intake.hash_sample import HashSample

FEATURES, LABELS = make_published_events(400, seed=9)


def test_many_events_are_sampled_with_all_their_repetitions():
    hashes = HashSample(max_hashes=300)
    for part in np.split(np.arange(400), 4):
        hashes.add("training", FEATURES[part], LABELS[part])
        hashes.add("training", FEATURES[part], LABELS[part])
    hashes.add("validation", FEATURES[:200], 1 - LABELS[:200])

    first, second, third = hashes.notes("remove them")
    sampled = [int(note.split()[4]) for note in (first, second)]
    assert third == f"at least {sampled[1]} events with both labels, as signal and as " + (
        "background: correct or remove them"
    )
    assert first.startswith("training/ has at least ")
    assert "(50.00%)" in first
    assert second.startswith("validation/ has at least ")
    assert 50 < sampled[0] <= 150
    assert 20 < sampled[1] < sampled[0]


def test_many_events_of_zeros_only_are_counted():
    hashes = HashSample(max_hashes=10)
    hashes.add("training", np.zeros((100, 28), np.float32), np.ones(100, np.float32))
    [note] = hashes.notes("")
    assert note.startswith("training/ has at least 99 repetitions of earlier events (99.00%)")


def test_events_that_differ_are_not_reported():
    hashes = HashSample()
    hashes.add("training", FEATURES[:300], LABELS[:300])
    hashes.add("validation", FEATURES[300:], LABELS[300:])
    hashes.add("test", FEATURES[:0], LABELS[:0])

    assert not [*hashes.notes("")]
