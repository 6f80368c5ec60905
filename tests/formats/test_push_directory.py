import pytest
from export_makers import push

from formats.push_directory import newest_version


@pytest.fixture
def serving(tmp_path):
    return tmp_path / "serving"


def test_the_newest_version_is_the_greatest_number(serving):
    push(serving, "9")
    newest = push(serving, "10")
    assert newest_version(str(serving)) == newest


def test_incomplete_versions_and_other_folders_are_ignored(serving):
    newest = push(serving, "9")
    push(serving, "10", complete=False)
    push(serving, "latest")
    assert newest_version(str(serving)) == newest


def test_an_object_store_lists_folders_with_a_slash(monkeypatch):
    class Store:
        exists = staticmethod(lambda path: path in {"gs://b/m", "gs://b/m/7/saved_model.pb"})
        listdir = staticmethod(lambda _: ["7/", "README"])

    monkeypatch.setattr("formats.push_directory.fileio", Store)
    assert newest_version("gs://b/m") == "gs://b/m/7"
