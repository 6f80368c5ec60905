import numpy as np
import pytest

from formats.hash_runs import find_runs, folder_of, in_ranges, run_path, write_run


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
