from pathlib import Path

import pytest

from pipeline.paths import PathError, is_remote, local_path


@pytest.mark.parametrize("path", ["gs://bucket/root", "s3://b", "minio://b/x", "hdfs://host/x"])
def test_stores_of_the_nodes_are_remote(path):
    assert is_remote(path)


@pytest.mark.parametrize("path", ["runs/gs", "/gs://x", "./gs://x", "C:/x", "gs:/b", "ftp://h/x"])
def test_other_paths_are_not_remote(path):
    assert not is_remote(path)


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
