import pytest

from formats.push_directory import newest_version


@pytest.fixture
def push(tmp_path):
    """Pushes an export of a version; an incomplete one has no saved_model.pb yet."""

    def write(version, *, complete=True):
        folder = tmp_path / "serving" / version
        (folder / "variables").mkdir(parents=True)
        (folder / "variables" / "variables.index").write_text(version)
        if complete:
            (folder / "saved_model.pb").write_text(version)
        return str(folder)

    return write


@pytest.fixture
def serving(tmp_path):
    return str(tmp_path / "serving")


def test_the_newest_version_is_the_greatest_number(push, serving):
    push("9")
    newest = push("10")
    assert newest_version(serving) == newest


def test_incomplete_versions_and_other_folders_are_ignored(push, serving):
    newest = push("9")
    push("10", complete=False)
    push("latest")
    assert newest_version(serving) == newest


def test_an_object_store_lists_folders_with_a_slash(monkeypatch):
    class Store:
        exists = staticmethod(lambda path: path in {"gs://b/m", "gs://b/m/7/saved_model.pb"})
        listdir = staticmethod(lambda _: ["7/", "README"])

    monkeypatch.setattr("formats.push_directory.fileio", Store)
    assert newest_version("gs://b/m") == "gs://b/m/7"
