import errno
import gzip
import hashlib
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from event_makers import make_events, toy_events
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shard_makers import truncate

from components.example_gen import split_writer
from components.example_gen.hash_split import assign_splits
from components.example_gen.shard_ingestion import ShardTask, ingest_shard
from components.example_gen.shard_results import ingest
from formats.errors import DataRefusedError
from formats.event_hash import event_hashes
from formats.features import COLUMNS
from formats.hash_runs import find_runs, folder_of
from formats.published.record import Events, encode_events
from formats.published.tfrecord import RecordError


@pytest.fixture
def task(tmp_path):
    make_folders(tmp_path, ["train", "eval"])
    return ShardTask(
        index=7,
        path=str(tmp_path / "shard.tfrecord"),
        splits=["train", "eval"],
        buckets=[2, 1],
        output=str(tmp_path),
        row_group_events=100,
    )


def make_folders(output, splits):
    for split in splits:
        (output / f"Split-{split}").mkdir()
        Path(folder_of(str(output), split)).mkdir(parents=True)


def stored_hashes(output, split):
    return np.concatenate([np.fromfile(run.path, "<u8") for run in find_runs(str(output), split)])


def rows(folder):
    """Label and features of every event under a folder, one row each, unordered."""
    tables = [pq.read_table(file) for file in sorted(folder.glob("*.parquet"))]
    parts = [
        np.column_stack([t[name].combine_chunks().flatten() for name in COLUMNS]) for t in tables
    ]
    return np.concatenate(parts) if parts else np.empty((0, 29), np.float32)


def test_every_event_is_written_once_to_the_split_of_its_hash(task, tmp_path):
    events = make_events(1234)
    (tmp_path / "shard.tfrecord").write_bytes(encode_events(events))
    summaries = ingest_shard(task).splits
    splits = assign_splits(event_hashes(events.features), [2, 1])
    for index, name in enumerate(("train", "eval")):
        in_split = splits == index
        expected = np.column_stack([events.labels[in_split], events.features[in_split]])
        assert summaries[name].events == len(expected)
        np.testing.assert_array_equal(rows(tmp_path / f"Split-{name}"), expected)
    assert [file.name for file in (tmp_path / "Split-train").iterdir()] == [
        "data_parquet-00007.parquet"
    ]


def test_a_shard_that_cannot_be_opened_is_refused(task):
    with pytest.raises(DataRefusedError, match=r"shard\.tfrecord cannot be read \(No such file"):
        ingest_shard(task)


def test_a_file_that_cannot_be_written_is_not_blamed_on_the_shard(task, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied", ".staging/1")

    Path(task.path).write_bytes(encode_events(make_events(10)))
    monkeypatch.setattr(split_writer.SplitWriter, "add", refuse)
    with pytest.raises(PermissionError, match=r"\.staging/1"):
        ingest(task)


def test_gzip_gives_the_same_rows(task, tmp_path):
    content = encode_events(make_events(300))
    (tmp_path / "shard.tfrecord").write_bytes(content)
    ingest_shard(task)
    plain = rows(tmp_path / "Split-train")
    (tmp_path / "shard.tfrecord").write_bytes(gzip.compress(content))
    ingest_shard(task)
    np.testing.assert_array_equal(rows(tmp_path / "Split-train"), plain)


def test_all_row_groups_but_the_last_are_full(task, tmp_path):
    (tmp_path / "shard.tfrecord").write_bytes(encode_events(make_events(1010)))
    summaries = ingest_shard(task).splits
    metadata = pq.read_metadata(tmp_path / "Split-train" / "data_parquet-00007.parquet")
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert sizes == [100] * (summaries["train"].events // 100) + [summaries["train"].events % 100]


def test_a_split_without_events_gets_no_file(task, tmp_path):
    (tmp_path / "shard.tfrecord").write_bytes(encode_events(make_events(1)))
    summaries = ingest_shard(task).splits
    assert sorted(part.events for part in summaries.values()) == [0, 1]
    [file] = tmp_path.glob("Split-*/*")
    assert summaries[file.parent.name.removeprefix("Split-")].events == 1
    assert not list((tmp_path / ".staging").iterdir())


@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0)])
def test_a_shard_without_records_writes_nothing(task, tmp_path, content):
    (tmp_path / "shard.tfrecord").write_bytes(content)
    summary = ingest_shard(task)
    assert [part.events for part in summary.splits.values()] == [0, 0]
    assert summary.sha256 == hashlib.sha256(content).hexdigest()
    assert not list(tmp_path.glob("Split-*/*"))
    assert not list((tmp_path / ".staging").iterdir())


@pytest.mark.slow
def test_the_hash_is_of_the_bytes_on_disk(task, tmp_path):
    content = gzip.compress(encode_events(make_events(20_000)))
    (tmp_path / "shard.tfrecord").write_bytes(content)
    assert ingest_shard(task).sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.slow
def test_hashes_of_events_are_written_beside_their_split(task, tmp_path, monkeypatch):
    monkeypatch.setattr(split_writer, "MAX_RUN", 100)
    events = make_events(12_000)
    (tmp_path / "shard.tfrecord").write_bytes(encode_events(events))
    ingest_shard(task)
    splits = assign_splits(event_hashes(events.features), [2, 1])
    for index, name in enumerate(("train", "eval")):
        assert len(find_runs(str(tmp_path), name)) > 1
        assert {run.shard for run in find_runs(str(tmp_path), name)} == {7}
        expected = event_hashes(events.features[splits == index])
        assert sorted(stored_hashes(tmp_path, name)) == sorted(expected)


@pytest.mark.slow
def test_columns_in_another_order_are_refused(task, tmp_path):
    events = toy_events(300)
    (tmp_path / "shard.tfrecord").write_bytes(encode_events(events))
    assert sum(part.events for part in ingest_shard(task).splits.values()) == 300
    events.features[:, [21, 22]] = events.features[:, [22, 21]]
    (tmp_path / "shard.tfrecord").write_bytes(encode_events(events))
    for file in tmp_path.glob("Split-*/*"):
        file.unlink()
    with pytest.raises(RecordError, match=r"shard.tfrecord: .* exchanging m_jj with m_jjj\. Write"):
        ingest_shard(task)
    assert not list(tmp_path.glob("Split-*/*"))


def test_an_invalid_shard_leaves_nothing_behind(task, tmp_path):
    (tmp_path / "shard.tfrecord").write_bytes(encode_events(make_events(500)))
    truncate(tmp_path / "shard.tfrecord", 5)
    with pytest.raises(RecordError, match=r"shard.tfrecord.*record 499"):
        ingest_shard(task)
    assert not list(tmp_path.glob("Split-*/*"))
    assert not list((tmp_path / ".staging").iterdir())


@pytest.mark.slow
@given(
    words=arrays(np.uint32, st.tuples(st.integers(1, 60), st.just(28))),
    row_group_events=st.integers(1, 70),
    buckets=st.sampled_from([[1], [2, 1], [1, 1]]),
    compress=st.booleans(),
    data=st.data(),
)
@settings(max_examples=25)
def test_any_events_are_written_bit_for_bit(words, row_group_events, buckets, compress, data):
    labels = data.draw(arrays(np.float32, len(words), elements=st.sampled_from([0.0, 1.0])))
    events = Events(words.view(np.float32), labels)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        content = encode_events(events)
        (folder / "shard").write_bytes(gzip.compress(content) if compress else content)
        splits = [str(split) for split in range(len(buckets))]
        make_folders(folder, splits)
        summaries = ingest_shard(
            ShardTask(
                index=0,
                path=str(folder / "shard"),
                splits=splits,
                buckets=buckets,
                output=str(folder),
                row_group_events=row_group_events,
            )
        ).splits
        written = [rows(folder / f"Split-{split}") for split in splits]
        groups = [pq.read_metadata(file).row_group(0).num_rows for file in folder.glob("Split-*/*")]
    assert [summaries[split].events for split in splits] == [len(part) for part in written]
    assert max(groups) <= row_group_events
    # In the order of the shard; compared as bits because NaN equals nothing.
    sent = np.column_stack([labels, events.features]).astype(np.float32).view(np.uint32)
    assigned = (
        assign_splits(event_hashes(events.features), buckets)
        if len(buckets) > 1
        else np.zeros(len(words), np.int64)
    )
    for split, part in enumerate(written):
        np.testing.assert_array_equal(
            part.astype(np.float32).view(np.uint32), sent[assigned == split]
        )
