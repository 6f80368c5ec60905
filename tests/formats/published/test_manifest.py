import hashlib

import pytest

from formats.published.manifest import (
    Manifest,
    ManifestError,
    ShardEntry,
    SourceEntry,
    find_differences,
    find_manifest,
    read_manifest,
    write_manifest,
)

CONTENT = b"three records"


@pytest.fixture
def manifest(tmp_path):
    (tmp_path / "training").mkdir()
    (tmp_path / "training/a.tfrecord").write_bytes(CONTENT)
    shard = ShardEntry(
        path="training/a.tfrecord",
        bytes=len(CONTENT),
        events=3,
        sha256=hashlib.sha256(CONTENT).hexdigest(),
    )
    manifest = Manifest(
        created="2026-11-27T00:00:00+00:00",
        sources=(SourceEntry(name="x.csv", kind="CSV", events=4),),
        options={"missing": "drop"},
        read=4,
        written=3,
        dropped={"missing": 1},
        shards=(shard,),
    )
    write_manifest(tmp_path, manifest)
    return manifest


def differences(folder, manifest, with_hashes=True):
    return list(find_differences(folder / "manifest.json", manifest, with_hashes=with_hashes))


def test_a_manifest_reads_back(manifest, tmp_path):
    assert read_manifest(tmp_path / "manifest.json") == manifest


@pytest.mark.parametrize("folder", [".", "training"])
def test_a_manifest_is_found_from_the_data_set_and_from_its_splits(manifest, tmp_path, folder):
    assert find_manifest(tmp_path / folder) == tmp_path / "manifest.json"


def test_a_manifest_may_be_absent(tmp_path):
    assert find_manifest(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", '{"created": 1}', '{"format_version": 1, "x": 2}'])
def test_another_form_is_refused_with_the_remedy(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)

    with pytest.raises(
        ManifestError, match=r"manifest\.json: .*convert again, or delete this file"
    ):
        read_manifest(tmp_path / "manifest.json")


def test_unchanged_shards_have_no_differences(manifest, tmp_path):
    assert differences(tmp_path, manifest) == []


def test_missing_resized_and_changed_shards_are_named(manifest, tmp_path):
    shard = tmp_path / "training/a.tfrecord"

    shard.write_bytes(CONTENT.upper())
    assert differences(tmp_path, manifest, with_hashes=False) == []
    [difference] = differences(tmp_path, manifest)
    assert difference.startswith("training/a.tfrecord has the SHA-256 ")

    shard.write_bytes(CONTENT + b"!")
    assert differences(tmp_path, manifest) == ["training/a.tfrecord has 14 bytes, not 13"]

    shard.unlink()
    assert differences(tmp_path, manifest) == ["training/a.tfrecord is missing"]
