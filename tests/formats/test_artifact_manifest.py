"""The files of an artifact, and the description of each kind of damage."""

import hashlib
import os
import re
import shutil

import pytest

from formats.artifact_manifest import (
    FileDigest,
    list_files,
    manifest_digest,
    summarize,
    take_manifest,
    verify,
)

CONTENT = {
    "saved_model.pb": b"graph",
    "variables/variables.index": b"index",
    "variables/variables.data-00000-of-00001": b"\x00weights\xff",
}


@pytest.fixture
def folder(tmp_path):
    """A folder of an exported model."""
    folder = tmp_path / "model"
    for path, content in CONTENT.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (folder / "assets").mkdir()
    return folder


@pytest.fixture
def manifest(folder):
    return take_manifest(str(folder))


def test_a_manifest_lists_every_file_with_its_size_and_digest(manifest):
    assert manifest == {
        path: FileDigest(len(content), hashlib.sha256(content).hexdigest())
        for path, content in CONTENT.items()
    }


def test_an_unchanged_folder_has_no_differences_wherever_it_is(folder, manifest, tmp_path):
    assert verify(str(folder), manifest) == []
    shutil.copytree(folder, tmp_path / "copy")
    assert verify(f"{tmp_path}/copy/", manifest) == []


def test_a_folder_that_cannot_be_read_is_named(folder, manifest, monkeypatch):
    listed = os.scandir

    def scandir(path):
        if str(path).endswith(("/variables", "/lost+found")):
            raise PermissionError(13, "Permission denied", path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert verify(str(folder), manifest) == [
        f"{folder}/variables cannot be read (Permission denied)"
    ]
    with pytest.raises(PermissionError):
        take_manifest(str(folder))
    # At the top of a disk, where scores may be written, and of which users may not read it.
    (folder / "variables").rename(folder / "lost+found")
    assert list(list_files(str(folder))) == ["saved_model.pb"]


def test_files_deleted_while_the_directories_stay(folder, manifest):
    for file in folder.rglob("*"):
        if file.is_file():
            file.unlink()
    assert verify(str(folder), manifest) == [
        "saved_model.pb is missing (5 bytes)",
        "variables/variables.data-00000-of-00001 is missing (9 bytes)",
        "variables/variables.index is missing (5 bytes)",
    ]
    assert (folder / "variables").is_dir()


def test_a_folder_that_is_gone(folder, manifest):
    shutil.rmtree(folder)
    assert len(verify(str(folder), manifest)) == 3


def flip(file):
    """Flips one bit and restores the times, as a failing disk does."""
    content, status = bytearray(file.read_bytes()), file.stat()
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace_by_link(file):
    target = file.with_name("elsewhere")
    shutil.move(file, file.parents[1] / target.name)
    file.symlink_to(file.parents[1] / target.name)


DAMAGE = {
    "truncated": (
        lambda file: os.truncate(file, 4),
        "variables/variables.index has 4 of 5 bytes",
    ),
    "emptied": (
        lambda file: os.truncate(file, 0),
        "variables/variables.index has 0 of 5 bytes",
    ),
    "flipped bit": (
        flip,
        "variables/variables.index has other content (5 bytes, another SHA-256)",
    ),
    "directory": (
        lambda file: (file.unlink(), file.mkdir()),
        "variables/variables.index is missing (5 bytes)",
    ),
    "pipe": (
        lambda file: (file.unlink(), os.mkfifo(file)),
        "variables/variables.index cannot be read (not a regular file)",
    ),
    "dangling link": (
        lambda file: (file.unlink(), file.symlink_to("nowhere")),
        "variables/variables.index cannot be read (not a regular file)",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_each_kind_of_damage_is_named(folder, manifest, kind):
    damage, message = DAMAGE[kind]
    damage(folder / "variables" / "variables.index")
    assert verify(str(folder), manifest) == [message]


def test_a_link_to_the_same_content_is_a_difference(folder, manifest):
    replace_by_link(folder / "variables" / "variables.index")
    assert verify(str(folder), manifest, others_allowed=True) == [
        "variables/variables.index cannot be read (not a regular file)"
    ]


def test_a_folder_replaced_by_a_link_is_a_difference(folder, manifest, tmp_path):
    shutil.move(folder / "variables", tmp_path / "variables")
    (folder / "variables").symlink_to(tmp_path / "variables")
    assert verify(str(folder), manifest) == [
        "variables was added",
        "variables/variables.data-00000-of-00001 is missing (9 bytes)",
        "variables/variables.index is missing (5 bytes)",
    ]


def test_an_added_file_is_a_difference_unless_others_are_allowed(folder, manifest):
    (folder / "variables" / "extra").write_bytes(b"x")
    assert verify(str(folder), manifest) == ["variables/extra was added"]
    assert verify(str(folder), manifest, others_allowed=True) == []


def test_the_digest_depends_on_every_path_size_and_content(manifest):
    digests = {manifest_digest(manifest)}
    for path, file in manifest.items():
        others = {name: other for name, other in manifest.items() if name != path}
        for changed in (
            others,
            {**others, f"{path}x": file},
            {**others, path: file._replace(bytes=file.bytes + 1)},
            {**others, path: file._replace(sha256=hashlib.sha256(b"other").hexdigest())},
        ):
            digests.add(manifest_digest(changed))
    assert len(digests) == 1 + 4 * len(CONTENT)
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)


def test_the_digest_does_not_depend_on_the_order(manifest):
    assert manifest_digest(dict(reversed(manifest.items()))) == manifest_digest(manifest)


def test_a_link_in_a_new_artifact_is_an_error(folder):
    (folder / "assets" / "link").symlink_to(folder / "saved_model.pb")
    with pytest.raises(OSError, match="not a regular file"):
        take_manifest(str(folder))


def test_an_object_store_lists_folders_with_a_slash(monkeypatch):
    class Store:
        exists = staticmethod(lambda _: True)
        walk = staticmethod(
            lambda _: [
                ("gs://b/m/", ["variables/"], ["saved_model.pb"]),
                ("gs://b/m/variables/", [], ["variables.index"]),
            ]
        )

    monkeypatch.setattr("tfx.dsl.io.fileio", Store)
    assert list(list_files("gs://b/m")) == ["saved_model.pb", "variables/variables.index"]
    assert list(list_files("gs://b/m/")) == ["saved_model.pb", "variables/variables.index"]


def test_a_summary_counts_what_it_leaves_out():
    problems = [f"file-{number} was added" for number in range(5)]
    assert summarize(problems[:2]) == "file-0 was added; file-1 was added"
    assert summarize(problems, limit=4).endswith("file-3 was added, and 1 more difference")
    assert summarize(problems).endswith("file-2 was added, and 2 more differences")
