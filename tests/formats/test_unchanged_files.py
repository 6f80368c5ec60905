import os

import pytest

from formats.errors import DataRefusedError
from formats.unchanged_files import unchanged


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"content")
    os.utime(path, (1, 1))
    return path


def replace(path):
    path.with_name("y").write_bytes(b"content")
    path.with_name("y").replace(path)


CHANGES = {
    "grown": lambda path: path.write_bytes(b"content, and more"),
    "overwritten": lambda path: path.write_bytes(b"CONTENT"),
    "replaced": replace,
    "removed": lambda path: path.unlink(),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_refused_whatever_the_reader_says(path, name):
    def read():
        with unchanged(path.with_name("none"), path):
            CHANGES[name](path)
            raise ValueError("truncated")

    with pytest.raises(DataRefusedError, match="x was changed while it was read; run") as refused:
        read()

    assert str(refused.value.__cause__) == "truncated"


def test_errors_about_unchanged_files_stay(path):
    with pytest.raises(ZeroDivisionError), unchanged(path):
        _ = 1 / 0
    with unchanged(path):
        path.read_bytes()
