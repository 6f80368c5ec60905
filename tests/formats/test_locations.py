import pytest

from formats.locations import is_remote


@pytest.mark.parametrize(
    "location", ["gs://b/root", "s3://b", "minio://b/x", "hdfs://host/x", "ram://x", "file:///x"]
)
def test_uris_are_remote(location):
    assert is_remote(location)


@pytest.mark.parametrize(
    "location", ["runs/gs", "/gs://x", "./gs://x", "C:/x", "C://x", "C:\\x", "gs:/b", "a b://c", ""]
)
def test_paths_are_not_remote(location):
    assert not is_remote(location)
