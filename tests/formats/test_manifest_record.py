"""When a stamp suffices to verify a file, and when its content is read."""

import os
import shutil

import pytest
from damages import DAMAGES, add

from formats import artifact_manifest
from formats.artifact_manifest import take_manifest
from formats.manifest_record import ManifestRecord
from formats.unchanged_files import Stamp


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "parent" / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "index").write_bytes(b"index")
    return folder


@pytest.fixture
def record(folder):
    return ManifestRecord.take(str(folder))


@pytest.fixture
def hashed(monkeypatch):
    """Names of the files whose content was read."""
    files, compare = [], artifact_manifest.compare_file

    def compare_file(location, path, expected):
        files.append(path)
        return compare(location, path, expected)

    monkeypatch.setattr(artifact_manifest, "compare_file", compare_file)
    return files


def test_the_record_holds_the_manifest_and_survives_json(folder, record):
    assert record.manifest == take_manifest(str(folder))
    assert ManifestRecord.model_validate_json(record.model_dump_json()) == record
    assert record.files["saved_model.pb"].stamp == Stamp.of((folder / "saved_model.pb").lstat())


def test_files_with_their_stamps_are_not_read(folder, record, hashed):
    assert record.check(str(folder), others_allowed=False) == ([], record)
    assert hashed == []


def test_after_a_copy_every_file_is_read_once(folder, record, hashed, tmp_path):
    copy = str(tmp_path / "copy")
    shutil.copytree(folder, copy)
    problems, checked = record.check(copy, others_allowed=False)
    assert problems == []
    assert sorted(hashed) == ["saved_model.pb", "variables/index"]
    assert checked.manifest == record.manifest
    hashed.clear()
    assert checked.check(copy, others_allowed=False) == ([], checked)
    assert hashed == []


def test_touched_files_are_read_and_found_the_same(folder, record, hashed):
    os.utime(folder / "saved_model.pb", ns=(1, 1))
    problems, checked = record.check(str(folder), others_allowed=False)
    assert (problems, hashed) == ([], ["saved_model.pb"])
    assert checked.files["saved_model.pb"].stamp.mtime_ns == 1


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_each_damage_is_described_and_keeps_its_stamp_from_the_record(folder, record, damage):
    damage(folder / "variables" / "index")
    problems, checked = record.check(str(folder), others_allowed=False)
    assert len(problems) == 1
    assert DAMAGES[damage] in problems[0]
    assert checked == record
    allowed, _ = record.check(str(folder), others_allowed=True)
    assert allowed == ([] if damage is add else problems)


def test_the_record_of_a_folder_that_is_gone_lists_every_file(folder, record):
    shutil.rmtree(folder)
    problems, _ = record.check(str(folder), others_allowed=False)
    assert problems == [
        "saved_model.pb is missing (5 bytes)",
        "variables/index is missing (5 bytes)",
    ]
