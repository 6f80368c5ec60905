"""Where the records of a root are, and what they verify."""

import errno
import os
import shutil

import pytest

from formats.artifact_manifest import manifest_digest, take_manifest
from pipeline.artifact_records import ArtifactRecords


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "root" / "artifacts" / "Trainer" / "model" / "8"
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_text("graph")
    return folder


@pytest.fixture
def records(tmp_path):
    return ArtifactRecords(str(tmp_path / "root"))


def record_file(tmp_path):
    return tmp_path / "root" / "manifests" / "artifacts" / "Trainer" / "model" / "8.json"


def test_the_digest_is_that_of_the_manifest_and_the_record_is_beside_the_artifacts(
    records, model, tmp_path
):
    digest = records.take(str(model))
    assert digest == manifest_digest(take_manifest(str(model)))
    assert record_file(tmp_path).is_file()
    assert records.find_problems(str(model), digest) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"files": {"a": 1}}', b"\xff\x00"])
def test_a_damaged_record_is_replaced_if_the_files_have_the_digest(
    records, model, tmp_path, content
):
    digest = records.take(str(model))
    intact = record_file(tmp_path).read_bytes()
    record_file(tmp_path).write_bytes(content)
    assert records.find_problems(str(model), digest) == []
    assert record_file(tmp_path).read_bytes() == intact


def test_a_pipe_in_place_of_a_record_is_replaced_without_blocking(records, model, tmp_path):
    digest = records.take(str(model))
    record_file(tmp_path).unlink()
    os.mkfifo(record_file(tmp_path))
    assert records.find_problems(str(model), digest) == []
    assert record_file(tmp_path).is_file()


def test_without_a_record_other_files_are_a_problem_that_names_none(records, model, tmp_path):
    digest = records.take(str(model))
    record_file(tmp_path).unlink()
    (model / "saved_model.pb").write_text("other")
    (problem,) = records.find_problems(str(model), digest)
    assert problem.startswith("its files do not match their digest in ML Metadata; ")
    assert not record_file(tmp_path).exists()


def test_a_moved_root_keeps_its_records(records, model, tmp_path):
    digest = records.take(str(model))
    moved = (tmp_path / "root").rename(tmp_path / "moved")
    folder = str(moved / model.relative_to(tmp_path / "root"))
    assert ArtifactRecords(str(moved)).find_problems(folder, digest) == []
    (moved / "artifacts/Trainer/model/8/saved_model.pb").unlink()
    assert ArtifactRecords(str(moved)).find_problems(folder, digest) == [
        "saved_model.pb is missing (5 bytes)"
    ]


def test_a_push_directory_elsewhere_has_its_records_in_the_root(records, tmp_path):
    versions = [tmp_path / "elsewhere" / number for number in ("1", "2")]
    for version in versions:
        version.mkdir(parents=True)
        (version / "saved_model.pb").write_text(version.name)
    digests = [records.take(str(version)) for version in versions]
    assert len([*(tmp_path / "root" / "manifests" / "elsewhere").glob("*.json")]) == 2
    assert sorted(path.name for path in versions[0].parent.iterdir()) == ["1", "2"]
    (versions[0] / "added").touch()
    assert records.find_problems(str(versions[0]), digests[0]) == ["added was added"]
    assert records.find_problems(str(versions[0]), digests[0], others_allowed=True) == []
    shutil.rmtree(versions[1])
    assert records.find_problems(str(versions[1]), digests[1]) == [
        "saved_model.pb is missing (1 bytes)"
    ]


def test_stamps_that_cannot_be_written_do_not_change_what_is_found(records, model, monkeypatch):
    digest = records.take(str(model))
    os.utime(model / "saved_model.pb", ns=(1, 1))

    def full(folder, record):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(records, "_write", full)
    assert records.find_problems(str(model), digest) == []
    (model / "saved_model.pb").unlink()
    assert records.find_problems(str(model), digest) == ["saved_model.pb is missing (5 bytes)"]
    with pytest.raises(OSError, match="No space left"):
        records.take(str(model))
