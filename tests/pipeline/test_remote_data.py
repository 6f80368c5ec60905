"""The key of shards in an object store; local folders represent its objects."""

import os

import pytest

from pipeline.config import Config, ConfigError
from pipeline.remote_data import stored_content_key
from pipeline.shard_digests import local_content_key


@pytest.fixture
def store(tmp_path):
    for folder in ("training", "validation"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.tfrecord").write_bytes(b"content")
    return tmp_path


def test_the_key_changes_when_an_object_is_written_again(store):
    key = stored_content_key(f"{store}/", "folders")
    assert key == stored_content_key(str(store), "folders")
    assert key.startswith("store:")

    shard = store / "training" / "a.tfrecord"
    written = shard.stat().st_mtime_ns
    shard.write_bytes(b"CONTENT")
    os.utime(shard, ns=(written, written + 1_000_000_000))

    assert stored_content_key(str(store), "folders") != key


def test_only_shards_count(store):
    key = stored_content_key(str(store), "folders")
    (store / "training" / "README").write_text("x")
    assert stored_content_key(str(store), "folders") == key

    (store / "validation" / "b.tfrecord").write_bytes(b"")
    assert stored_content_key(str(store), "folders") != key
    assert stored_content_key(str(store / "training"), "single") != key


def test_a_store_that_does_not_list_the_folders_is_named(tmp_path):
    with pytest.raises(ConfigError, match=rf"data_root: cannot list {tmp_path} .*; check the name"):
        stored_content_key(str(tmp_path), "folders")


def test_a_key_that_the_user_gives_is_taken(monkeypatch):
    monkeypatch.setattr("pipeline.shard_digests.stored_content_key", lambda *_: "store:1")
    config = {"root": "r", "data_root": "gs://bucket/data", "ingestion": {"layout": "folders"}}

    assert local_content_key(Config(**config)) == "store:1"
    config["ingestion"]["content_key"] = "version 7"
    assert local_content_key(Config(**config)) == "version 7"
