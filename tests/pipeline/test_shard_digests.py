"""Content keys of local shards, and remembered hashes, so that unchanged shards are not read."""

import hashlib
import os
import time

import pytest

from formats.content_key import content_key
from formats.errors import DataRefusedError
from formats.published.shard_files import check_readable
from pipeline import shard_digests
from pipeline.config import Config
from pipeline.shard_digests import digest_shards, local_content_key


@pytest.fixture
def shards(tmp_path):
    paths = [tmp_path / f"{name}.tfrecord" for name in "ab"]
    for path in paths:
        path.write_bytes(path.name.encode() * 1000)
    return paths


@pytest.fixture
def reads(monkeypatch):
    """The names of the shards that were read."""
    names = []
    genuine = shard_digests.hash_file
    monkeypatch.setattr(
        shard_digests, "hash_file", lambda path: (names.append(path.name), genuine(path))[1]
    )
    return names


@pytest.fixture
def settled(monkeypatch):
    """Files count as old at once."""
    monkeypatch.setattr(shard_digests, "SETTLED_SECONDS", -1.0)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_unchanged_shards_are_read_once(shards, tmp_path, reads, settled):
    memory = tmp_path / "metadata" / "memory.json"
    first = digest_shards(shards, memory)
    assert first == {path: sha256(path) for path in shards}
    assert sorted(reads) == ["a.tfrecord", "b.tfrecord"]
    assert digest_shards(shards, memory) == first
    assert len(reads) == 2


def test_a_replacement_of_the_same_size_and_time_is_read(shards, tmp_path, reads, settled):
    memory = tmp_path / "memory.json"
    first = digest_shards(shards, memory)
    before = shards[0].stat()
    shards[0].write_bytes(shards[0].read_bytes()[::-1])
    os.utime(shards[0], ns=(before.st_atime_ns, before.st_mtime_ns))
    reads.clear()
    second = digest_shards(shards, memory)
    assert shards[0].stat().st_mtime_ns == before.st_mtime_ns
    assert reads == ["a.tfrecord"]
    assert second[shards[0]] == sha256(shards[0]) != first[shards[0]]


def test_a_file_that_was_just_written_is_not_remembered(shards, tmp_path, reads):
    memory = tmp_path / "memory.json"
    digest_shards(shards, memory)
    digest_shards(shards, memory)
    assert len(reads) == 4
    old = time.time_ns() + int(10e9)
    with pytest.MonkeyPatch.context() as clock:
        clock.setattr(time, "time_ns", lambda: old)
        digest_shards(shards, memory)
        digest_shards(shards, memory)
    assert len(reads) == 6


@pytest.mark.parametrize("content", ["", "{", '{"shards": {"x": 1}}'])
def test_a_damaged_digest_file_is_written_again(shards, tmp_path, reads, settled, content):
    memory = tmp_path / "memory.json"
    memory.write_text(content)
    digest_shards(shards, memory)
    digest_shards(shards, memory)
    assert len(reads) == 2


def test_a_shard_that_changes_while_it_is_read_is_refused(shards, tmp_path, monkeypatch):
    def hash_file(path):
        path.write_bytes(path.read_bytes() + b"more")
        return ""

    monkeypatch.setattr(shard_digests, "hash_file", hash_file)
    with pytest.raises(DataRefusedError, match=r"tfrecord was changed while it was read; run"):
        digest_shards(shards, tmp_path / "memory.json")


def make_unreadable(folder, kind):
    path = folder / "x.tfrecord"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("/nowhere/gone.tfrecord")
    elif kind == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("pipe", "is a named pipe, not a shard; put a file in its place, or remove it"),
        ("link", "is a link to /nowhere/gone.tfrecord, which does not exist; restore"),
        ("folder", "is a folder, not a shard"),
        ("nothing", "cannot be read .No such file or directory.; fetch it again"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_kind(tmp_path, kind, reason):
    path = make_unreadable(tmp_path, kind)
    with pytest.raises(DataRefusedError, match=f"{path} {reason}"):
        check_readable(path)
    with pytest.raises(DataRefusedError, match=f"{path} {reason}"):
        digest_shards([path], tmp_path / "memory.json")


def test_a_shard_without_permission_is_named(shards, tmp_path, monkeypatch):
    def deny(self, *_):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.open", deny)
    with pytest.raises(DataRefusedError, match=r"a\.tfrecord cannot be read by this user; change"):
        check_readable(shards[0])


def test_the_key_of_a_run_covers_both_splits(tmp_path):
    shards = [tmp_path / "data" / split / "s.tfrecord" for split in ("training", "validation")]
    for path in shards:
        path.parent.mkdir(parents=True)
        path.write_bytes(str(path).encode())
    config = Config(
        data_root=str(tmp_path / "data"),
        root=str(tmp_path / "run"),
        ingestion={"layout": "folders"},
    )
    digests = {f"{path.parent.name}/s.tfrecord": sha256(path) for path in shards}
    assert local_content_key(config) == content_key(digests)
    manifest = tmp_path / "data" / "manifest.json"
    manifest.write_text("{}")
    assert local_content_key(config) == content_key({**digests, "manifest.json": sha256(manifest)})
