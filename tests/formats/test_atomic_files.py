import errno
import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from formats.atomic_files import atomic_path, remove_leftovers, write_text


def test_file_appears_when_the_block_succeeds(tmp_path):
    path = tmp_path / "new" / "page.html"
    with atomic_path(path) as temporary:
        temporary.write_text("complete")
        assert not path.exists()
    assert path.read_text() == "complete"
    assert list(path.parent.iterdir()) == [path]


def test_failed_block_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")

    def write():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_error_of_a_write_names_the_file(tmp_path):
    def write(error):
        with atomic_path(tmp_path / "page.html"):
            raise error

    with pytest.raises(OSError, match=r"\[Errno 28\] No space left on device: '.*/page\.html'"):
        write(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(PermissionError, match=r"other\.html"):
        write(PermissionError(errno.EACCES, "Permission denied", "other.html"))


def test_file_is_on_the_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    path, calls = tmp_path / "page.html", []
    monkeypatch.setattr(
        os,
        "fsync",
        lambda fd: calls.append((str(Path(f"/proc/self/fd/{fd}").readlink()), path.exists())),
    )
    with atomic_path(path) as temporary:
        temporary.write_text("complete")
    assert calls == [(str(temporary), False), (str(tmp_path), True)]


@pytest.mark.parametrize(("number", "fails"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_file_system_that_cannot_sync_is_written_to_and_a_failing_one_is_not(
    tmp_path, monkeypatch, number, fails
):
    def fsync(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="Input") if fails else nullcontext():
        write_text(tmp_path / "file", "text")
    assert (tmp_path / "file").exists() is not fails


@pytest.mark.parametrize("failing", ["temporary", "folder"])
def test_error_of_a_sync_names_what_could_not_be_synced(tmp_path, monkeypatch, failing):
    path, folder = tmp_path / "page.html", str(tmp_path)

    def fsync(descriptor):
        synced = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        if (synced == folder) == (failing == "folder"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="Input/output error") as caught:
        write_text(path, "text")
    assert caught.value.filename == (folder if failing == "folder" else str(path))


def test_leftovers_of_killed_processes_are_removed_and_no_others(tmp_path):
    path = tmp_path / "a.parquet"
    remove_leftovers(tmp_path / "none" / "a.parquet")
    dead = 2**22 + 1  # above the largest process id
    kept = [f".a.parquet.{os.getpid()}", f".b.parquet.{dead}", ".a.parquet.x", "a.parquet"]
    for name in (*kept, f".a.parquet.{dead}"):
        (tmp_path / name).write_text("x")
    remove_leftovers(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(kept)


def test_a_text_appears_complete_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "page.html"
    write_text(path, "first")
    write_text(path, "√")
    assert path.read_bytes() == "√".encode()
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert path.read_bytes() == "√".encode()


def test_a_folder_in_place_of_the_file_is_named(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(IsADirectoryError) as caught, atomic_path(tmp_path / "x") as temporary:
        temporary.write_text("content")
    assert caught.value.filename == str(tmp_path / "x")
