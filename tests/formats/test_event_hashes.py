import numpy as np
import pytest
from event_makers import make_events

from formats.event_hashes import event_hashes, find_runs, folder_of, in_ranges, run_path, write_run


@pytest.fixture
def runs(tmp_path):
    """Two splits with runs of several shards, and all their hashes."""
    rng = np.random.default_rng(0)
    content = {}
    for split, sizes in {"train": (50, 0, 700), "eval": (300,)}.items():
        folder = tmp_path / "event_hashes" / split
        folder.mkdir(parents=True)
        assert str(folder) == folder_of(str(tmp_path), split)
        parts = [rng.integers(0, 2**64, size, np.uint64) for size in sizes]
        for shard, part in enumerate(parts):
            write_run(run_path(str(tmp_path), split, shard, 0), part)
        content[split] = np.sort(np.concatenate(parts))
    return {split: find_runs(str(tmp_path), split) for split in content}, content


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


def test_different_events_have_different_hashes():
    features = np.random.default_rng(1).normal(size=(200_000, 28)).astype(np.float32)
    assert len(np.unique(event_hashes(features))) == 200_000


@pytest.mark.parametrize("range_events", [1, 64, 10_000])
def test_ranges_hold_every_hash_once_and_in_order(runs, range_events):
    files, content = runs
    ranges = list(in_ranges(files, range_events))
    assert len(ranges) == max(1, -(-1050 // range_events))
    for split in content:
        np.testing.assert_array_equal(np.concatenate([r[split] for r in ranges]), content[split])
    if range_events == 64:
        assert max(sum(map(len, r.values())) for r in ranges) < 2 * 64


def test_the_extreme_hashes_are_read(tmp_path):
    (tmp_path / "event_hashes" / "eval").mkdir(parents=True)
    extremes = np.array([2**64 - 1, 0, 2**63], np.uint64)
    write_run(run_path(str(tmp_path), "eval", 4, 2), extremes)
    [run] = find_runs(str(tmp_path), "eval")
    assert (run.shard, run.size) == (4, 3)
    assert [r["eval"].tolist() for r in in_ranges({"eval": [run]}, 1)] == [
        [0],
        [2**63],
        [2**64 - 1],
    ]
