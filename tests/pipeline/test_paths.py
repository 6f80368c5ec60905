from pathlib import Path

import pytest

from pipeline.paths import PathError, check_location, local_path


@pytest.mark.parametrize("path", ["gs://bucket/root", "s3://b", "runs/gs", "/gs://x", "C:/x"])
def test_paths_and_uris_of_stores_of_the_nodes_are_locations(path):
    assert check_location(path) == path


@pytest.mark.parametrize("path", ["gs:/b", "GS://b", "ftp://h/x", "file:///x"])
def test_other_uris_are_not_locations(path):
    with pytest.raises(PathError, match=f"{path} is neither a local path nor one of gs://, s3://,"):
        check_location(path)


@pytest.mark.parametrize(
    ("path", "folder"),
    [("gs://b/x/../y", ".."), ("s3://b/./y/", "."), ("gs://b//y", ""), ("hdfs://h/x/..", "..")],
)
def test_folders_that_object_stores_do_not_resolve_are_refused(path, folder):
    with pytest.raises(PathError, match=f"{path} has the folder {folder!r}: object stores do not"):
        check_location(path)


@pytest.mark.parametrize("path", ["gs://b/x..y/.z/", "hdfs:///x", "a//b/../c", "s3://b/x?u=h://y"])
def test_names_with_dots_and_local_paths_are_not(path):
    assert check_location(path) == path


def test_the_home_folder_is_expanded(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    assert local_path("~/data") == Path("/home/ada/data")
    assert local_path("data~1") == Path("data~1")


@pytest.mark.parametrize("path", ["gs://b/x", "gs:/b/x", "abfs://c/x", "S3://b", "file:///tmp/x"])
def test_uris_are_not_local_paths(path):
    with pytest.raises(PathError, match=f"{path} is a URI, but a local path is required"):
        local_path(path)


def test_a_folder_whose_name_looks_like_a_uri_can_be_given_with_a_dot():
    assert local_path("./gs:/x") == Path("gs:/x")


def test_empty_paths_and_unknown_users_are_refused():
    with pytest.raises(PathError, match="the path is empty"):
        local_path("")
    with pytest.raises(PathError, match="~nobody-here has no home folder"):
        local_path("~nobody-here/x")
