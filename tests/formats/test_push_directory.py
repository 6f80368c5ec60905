import os
from io import BytesIO
from pathlib import Path

import pytest
from export_makers import push

from formats.artifact_manifest import manifest_digest, take_manifest
from formats.names import SAVED_MODEL_FILE
from formats.provenance import FILE_NAME, Provenance, file_hashes
from formats.push_directory import (
    newest_version,
    next_version,
    pushed_versions,
    read_version,
    unfinished_pushes,
)


@pytest.fixture
def serving(tmp_path):
    return tmp_path / "serving"


def push_described(serving, version, pipeline="higgs"):
    """A version with its provenance, as SingleVersionPusher makes it."""
    folder = push(serving, version)
    record = Provenance(
        version=version,
        pipeline=pipeline,
        pushed_at="2026-11-27T00:00:00Z",
        files=file_hashes(take_manifest(folder)),
    )
    Path(folder, FILE_NAME).parent.mkdir()
    Path(folder, FILE_NAME).write_text(record.to_json())
    return Path(folder)


def test_the_newest_version_is_the_greatest_number(serving):
    push(serving, "9")
    newest = push(serving, "10")
    assert newest_version(str(serving)).folder == newest
    assert [version.version for version in pushed_versions(str(serving))] == [10, 9]


def test_without_versions_there_is_no_newest(serving):
    assert newest_version(str(serving)) is None
    serving.mkdir()
    assert newest_version(str(serving)) is None


def test_what_is_not_a_version_is_left_out(serving):
    newest = push(serving, "9")
    push(serving, "10", complete=False)
    for name in ("latest", "012", "v13", "9" * 30, "-14", "٣٣"):
        push(serving, name)
    (serving / "15").write_text("a file")
    (serving / "16").mkdir()
    (serving / ".pushing.higgs.0a").mkdir()
    Path(os.fsdecode(os.fsencode(serving) + b"/\xff")).mkdir()
    assert [version.folder for version in pushed_versions(str(serving))] == [newest]


def test_a_version_with_provenance_is_compared_with_it(serving):
    folder = push_described(serving, "17")
    files = take_manifest(str(folder))
    del files[FILE_NAME]
    version = newest_version(str(serving))
    assert (version.version, version.fault, version.pipeline) == (17, "", "higgs")
    assert version.model_sha256 == manifest_digest(files)
    (folder / "assets.extra" / "tf_serving_warmup_requests").write_text("by others")
    assert newest_version(str(serving)) == version


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda folder: (folder / SAVED_MODEL_FILE).unlink(), "saved_model.pb is missing"),
        (
            lambda folder: (folder / "variables/variables.index").write_text("18"),
            "variables/variables.index has other content",
        ),
        (
            lambda folder: (folder / "variables/variables.index").write_text(""),
            "variables/variables.index has 0 of 2 bytes",
        ),
    ],
)
def test_a_damaged_version_keeps_its_identity_and_names_its_fault(serving, damage, fault):
    folder = push_described(serving, "17")
    whole = newest_version(str(serving))
    damage(folder)
    damaged = newest_version(str(serving))
    assert damaged.model_sha256 == whole.model_sha256
    assert damaged.fault.startswith(fault)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [("}", "", "cannot be used: "), ("higgs", "hiffs", "was changed: its content does not have")],
)
def test_provenance_that_cannot_be_used_is_a_fault(serving, old, new, fault):
    folder = push_described(serving, "17")
    (folder / FILE_NAME).write_text((folder / FILE_NAME).read_text().replace(old, new))
    damaged = newest_version(str(serving))
    assert damaged.fault.startswith(f"{FILE_NAME} {fault}")
    assert damaged.model_sha256 == damaged.pipeline == ""


def test_a_pipe_in_place_of_provenance_does_not_block(serving):
    file = push_described(serving, "17") / FILE_NAME
    file.unlink()
    os.mkfifo(file)
    assert "not a regular file" in newest_version(str(serving)).fault


def test_a_version_whose_files_were_all_deleted_is_damaged(serving):
    folder = push_described(serving, "17")
    for file in folder.rglob("*"):
        if file.is_file():
            file.unlink()
    fault = "saved_model.pb and assets.extra/provenance.json are missing"
    assert newest_version(str(serving)).fault == fault


def test_a_version_of_earlier_releases_has_no_provenance(serving):
    folder = push(serving, "17")
    version = read_version(folder, 17)
    assert (version.provenance, version.fault) == (None, "")
    assert version.model_sha256 == manifest_digest(take_manifest(folder))
    Path(folder, "variables", "link").symlink_to("variables.index")
    assert "not a regular file" in read_version(folder, 17).fault


def test_a_copied_or_renamed_version_is_not_damaged(serving):
    push_described(serving, "17").rename(serving / "99")
    version = newest_version(str(serving))
    assert (version.version, version.fault, version.provenance.version) == (99, "", "17")


def test_the_next_version_is_the_time_unless_a_number_is_larger(serving):
    assert next_version(str(serving), 1000.9) == 1000
    push(serving, "1000")
    assert next_version(str(serving), 1000.9) == 1001
    assert next_version(str(serving), -5.0) == 1001
    assert next_version(str(serving), 2000.0) == 2000


def test_an_object_store_lists_folders_with_a_slash(monkeypatch):
    files = {"gs://b/m/7/saved_model.pb", "gs://b/m/8/variables/a", f"gs://b/m/8/{FILE_NAME}"}
    provenance = Provenance(
        version="8",
        pipeline="higgs",
        pushed_at="2026-11-27T00:00:00Z",
        files={"variables/a": {"bytes": 1, "sha256": "a" * 64}},
    ).to_json()

    class Store:
        exists = staticmethod(lambda path: path in files or path in ("gs://b/m", "gs://b/m/7"))
        isdir = staticmethod(lambda path: path.rpartition("/")[2] in "78")
        listdir = staticmethod(lambda _: ["7/", "8/", "README"])
        walk = staticmethod(lambda folder: [(folder, [], ["saved_model.pb"])])
        NotFoundError = FileNotFoundError

        @staticmethod
        def open(path, _mode):
            return BytesIO(provenance.encode() if path.endswith(FILE_NAME) else b"graph")

    monkeypatch.setattr("formats.push_directory.fileio", Store)
    monkeypatch.setattr("tfx.dsl.io.fileio", Store)
    assert newest_version("gs://b/m").folder == "gs://b/m/7"
    (unfinished,) = unfinished_pushes("gs://b/m")
    assert (unfinished.folder, unfinished.pipeline) == ("gs://b/m/8", "higgs")
