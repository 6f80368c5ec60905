import pytest

from formats.owned_folders import NotOwnedError, remove_owned


@pytest.fixture
def root(tmp_path):
    """A root with an artifact, beside another root with the same artifact."""
    for name in ("root", "root-2"):
        (tmp_path / name / "artifacts" / "1").mkdir(parents=True)
        (tmp_path / name / "artifacts" / "1" / "file").touch()
    return tmp_path / "root"


def test_folders_files_and_links_below_the_owner_are_deleted(root):
    (root / "link").symlink_to(root.parent / "root-2")
    remove_owned(root / "artifacts" / "1", root)
    remove_owned(str(root / "link"), str(root))
    remove_owned(root / "missing" / "1", root)
    assert [path.name for path in root.rglob("*")] == ["artifacts"]
    assert (root.parent / "root-2" / "artifacts" / "1" / "file").exists()


@pytest.mark.parametrize(
    "folder", ["../root-2/artifacts/1", ".", "", "..", "artifacts/../../root-2", "elsewhere/1"]
)
def test_nothing_outside_the_owner_is_deleted(root, folder):
    (root / "elsewhere").symlink_to(root.parent / "root-2" / "artifacts")
    before = sorted(root.parent.rglob("*"))
    with pytest.raises(NotOwnedError, match=r"is not below .*root and is not deleted"):
        remove_owned(f"{root}/{folder}", root)
    assert sorted(root.parent.rglob("*")) == before


def test_the_owner_may_be_given_by_way_of_a_link(root):
    (root.parent / "link").symlink_to(root)
    remove_owned(root / "artifacts" / "1", root.parent / "link")
    remove_owned(root.parent / "link" / "artifacts", root)
    assert list(root.iterdir()) == []
