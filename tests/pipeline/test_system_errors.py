import errno
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.system_errors import describe_system_error


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "x: no space is left; free some, or use another folder"),
        (errno.EDQUOT, "x: the disk quota is used up; free some, or use another folder"),
        (errno.EROFS, "x: the file system is read-only; choose a folder that can be written"),
        (errno.EIO, "x: the disk reports an input/output error; check the disk"),
        (
            errno.ENOTSUP,
            "x: the file system does not support this operation; choose a folder on a local disk",
        ),
        (errno.ENOTCONN, "x: the file system is not connected; mount it again"),
        (errno.ESTALE, "x: the server no longer has the open file; mount it again"),
        (errno.EFBIG, "x: the file would exceed the largest size allowed; raise it (`ulimit -f`)"),
        (errno.EMFILE, "x: this process has too many files open; allow more (`ulimit -n 4096`)"),
        (errno.EISDIR, "x: a reason; check the file and its folder"),
        (errno.ENOENT, "x: a reason; check the file and its folder"),
    ],
)
def test_file_cause_and_remedy_are_named(number, sentence):
    assert describe_system_error(OSError(number, "a reason", "x")) == sentence
    assert describe_system_error(OSError(number, "a reason", b"x")) == sentence
    assert describe_system_error(OSError(number, "a reason", 3)) == sentence.removeprefix("x: ")


def test_a_name_that_is_too_long_is_named(tmp_path):
    with pytest.raises(OSError, match="too long") as caught:
        (tmp_path / ("a" * 300)).stat()
    assert describe_system_error(caught.value).endswith(
        "aa: File name too long; check the file and its folder"
    )


@pytest.mark.parametrize("use", [Path.read_bytes, Path.mkdir])
def test_a_link_to_nothing_is_named_as_one(tmp_path, use):
    link = tmp_path / "link"
    link.symlink_to("nowhere")
    with pytest.raises(OSError, match="link") as caught:
        use(link)
    assert describe_system_error(caught.value) == (
        f"{link}: it is a link to nowhere, which does not exist; restore that, or remove the link"
    )


def test_a_working_directory_that_is_gone_is_named(monkeypatch, tmp_path):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        Path("runs").absolute()
    assert describe_system_error(caught.value) == (
        "the working directory was deleted; change to a folder that exists"
    )


def test_a_file_system_without_inodes_is_not_called_full(monkeypatch, tmp_path):
    counts = SimpleNamespace(f_files=300, f_favail=0)
    monkeypatch.setattr(os, "statvfs", lambda _: counts)
    file = str(tmp_path / "missing" / "x")
    error = OSError(errno.ENOSPC, "No space left on device", file)
    sentence = f"{file}: no inodes are left on the file system (`df -i`); remove files there"
    assert describe_system_error(error) == sentence
    # Some file systems count none.
    counts.f_files = 0
    assert describe_system_error(error).startswith(f"{file}: no space is left; free some")


def test_a_full_folder_of_temporary_files_can_be_replaced():
    error = OSError(errno.ENOSPC, "a reason", tempfile.gettempdir())
    assert describe_system_error(error).endswith("free some, or set TMPDIR to another folder")


def test_owner_and_mode_explain_a_refused_permission(tmp_path):
    error = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "x"))
    (tmp_path / "x").touch(0o600)
    assert describe_system_error(error).startswith(f"{tmp_path}/x: Permission denied (it belongs")
    assert ", mode 0600); change the permissions, or use" in describe_system_error(error)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        ImportError("libtensorflow_cc.so.2: failed to map segment from shared object"),
        RuntimeError("can't start new thread"),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_too_little_memory_has_no_file(error):
    assert describe_system_error(error) == (
        "there is not enough memory; end other programs, or allow more (`ulimit -v`)"
    )


def test_no_temporary_folder_is_described_with_a_remedy_and_hides_no_other_error(monkeypatch):
    def find_none():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_get_default_tempdir", find_none)
    with pytest.raises(FileNotFoundError) as caught:
        tempfile.mkdtemp()
    assert describe_system_error(caught.value) == (
        "No usable temporary directory found in ['/tmp']; set TMPDIR to a folder that can be "
        "written"
    )
    sentence = "/x: no space is left; free some, or use another folder"
    assert describe_system_error(OSError(errno.ENOSPC, "a reason", "/x")) == sentence
