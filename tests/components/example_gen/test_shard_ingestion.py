import gzip
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from components.example_gen.shard_ingestion import PARQUET_SCHEMA, ShardTask, ingest_shard, to_table
from formats.features import COLUMNS
from formats.published.record import Events, encode_events, split_of
from formats.published.tfrecord import RecordError


def some_events(count, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 28)).astype(np.float32)
    return Events(features, rng.integers(0, 2, count).astype(np.float32))


@pytest.fixture
def task(tmp_path):
    splits = {name: str(tmp_path / f"Split-{name}") for name in ("train", "eval")}
    for folder in splits.values():
        (tmp_path / folder).mkdir()
    return ShardTask(
        index=7,
        path=str(tmp_path / "shard.tfrecord"),
        splits=splits,
        buckets=[2, 1],
        staging=str(tmp_path / ".staging"),
        row_group_events=100,
    )


def rows(folder):
    """Label and features of every event under a folder, one row each, unordered."""
    tables = [pq.read_table(file) for file in sorted(folder.glob("*.parquet"))]
    parts = [
        np.column_stack([t[name].combine_chunks().flatten() for name in COLUMNS]) for t in tables
    ]
    return np.concatenate(parts) if parts else np.empty((0, 29), np.float32)


def test_every_event_arrives_once_in_the_split_of_its_hash(task, tmp_path):
    events = some_events(1234)
    (tmp_path / "shard.tfrecord").write_bytes(encode_events(events))
    ingested = ingest_shard(task)
    split = split_of(events, [2, 1])
    for index, name in enumerate(("train", "eval")):
        chosen = split == index
        expected = np.column_stack([events.labels[chosen], events.features[chosen]])
        assert ingested[name].events == len(expected)
        np.testing.assert_array_equal(rows(tmp_path / f"Split-{name}"), expected)
    assert [file.name for file in (tmp_path / "Split-train").iterdir()] == [
        "data_parquet-00007.parquet"
    ]


def test_gzip_gives_the_same_rows(task, tmp_path):
    content = encode_events(some_events(300))
    (tmp_path / "shard.tfrecord").write_bytes(content)
    ingest_shard(task)
    plain = rows(tmp_path / "Split-train")
    (tmp_path / "shard.tfrecord").write_bytes(gzip.compress(content))
    ingest_shard(task)
    np.testing.assert_array_equal(rows(tmp_path / "Split-train"), plain)


def test_row_groups_are_full_but_for_the_last(task, tmp_path):
    (tmp_path / "shard.tfrecord").write_bytes(encode_events(some_events(1000)))
    ingested = ingest_shard(task)
    metadata = pq.read_metadata(tmp_path / "Split-train" / "data_parquet-00007.parquet")
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert sizes == [100] * (ingested["train"].events // 100) + [ingested["train"].events % 100]


def test_a_split_that_gets_no_event_gets_no_file(task, tmp_path):
    (tmp_path / "shard.tfrecord").write_bytes(encode_events(some_events(1)))
    ingested = ingest_shard(task)
    assert sorted(part.events for part in ingested.values()) == [0, 1]
    [file] = tmp_path.glob("Split-*/*")
    assert ingested[file.parent.name.removeprefix("Split-")].events == 1
    assert not list((tmp_path / ".staging").iterdir())


@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0)])
def test_a_shard_without_a_record_is_refused(task, tmp_path, content):
    (tmp_path / "shard.tfrecord").write_bytes(content)
    with pytest.raises(RecordError) as caught:
        ingest_shard(task)
    assert str(caught.value) == f"{task.path}: holds no record. Fetch it again, or remove it."
    assert not list(tmp_path.glob("Split-*/*"))
    assert not list((tmp_path / ".staging").iterdir())


def test_a_bad_shard_leaves_nothing_behind(task, tmp_path):
    content = encode_events(some_events(500))
    (tmp_path / "shard.tfrecord").write_bytes(content[:-5])
    with pytest.raises(RecordError, match=r"shard.tfrecord.*record 499"):
        ingest_shard(task)
    assert not list(tmp_path.glob("Split-*/*"))
    assert not list((tmp_path / ".staging").iterdir())


def test_table_has_one_element_lists_as_tfdv_demands():
    events = some_events(5)
    table = to_table(events)
    assert table.schema == PARQUET_SCHEMA
    assert table["label"].to_pylist() == [[value] for value in events.labels.tolist()]
    assert table["m_wwbb"].to_pylist() == [[value] for value in events.features[:, 27].tolist()]


def test_only_few_valued_columns_are_dictionary_encoded(task, tmp_path):
    (tmp_path / "shard.tfrecord").write_bytes(encode_events(some_events(300)))
    ingest_shard(task)
    (file,) = (tmp_path / "Split-train").iterdir()
    group = pq.read_metadata(file).row_group(0)
    columns = [group.column(index) for index in range(group.num_columns)]
    encoded = {c.path_in_schema.split(".")[0] for c in columns if c.has_dictionary_page}
    assert encoded == {"label", *(f"jet_{jet}_b_tag" for jet in (1, 2, 3, 4))}


@given(
    words=arrays(np.uint32, st.tuples(st.integers(1, 60), st.just(28))),
    row_group_events=st.integers(1, 70),
    buckets=st.sampled_from([[1], [2, 1], [1, 1]]),
    compress=st.booleans(),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_any_rows_arrive_bit_for_bit(words, row_group_events, buckets, compress, data):
    labels = data.draw(arrays(np.float32, len(words), elements=st.sampled_from([0.0, 1.0])))
    events = Events(words.view(np.float32), labels)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        content = encode_events(events)
        (folder / "shard").write_bytes(gzip.compress(content) if compress else content)
        splits = [f"Split-{split}" for split in range(len(buckets))]
        for split in splits:
            (folder / split).mkdir()
        ingested = ingest_shard(
            ShardTask(
                index=0,
                path=str(folder / "shard"),
                splits={split: str(folder / split) for split in splits},
                buckets=buckets,
                staging=str(folder / ".staging"),
                row_group_events=row_group_events,
            )
        )
        arrived = [rows(folder / split) for split in splits]
        groups = [pq.read_metadata(file).row_group(0).num_rows for file in folder.glob("Split-*/*")]
    assert [ingested[split].events for split in splits] == [len(part) for part in arrived]
    assert max(groups) <= row_group_events
    # In the order of the shard and each in one split: bits, because NaN equals nothing.
    sent = np.column_stack([labels, events.features]).astype(np.float32).view(np.uint32)
    home = split_of(events, buckets) if len(buckets) > 1 else np.zeros(len(words), np.int64)
    for split, part in enumerate(arrived):
        np.testing.assert_array_equal(part.astype(np.float32).view(np.uint32), sent[home == split])
