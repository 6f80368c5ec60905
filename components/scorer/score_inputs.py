"""The files of a folder that are scored, and the names of their outputs."""

from pathlib import PurePosixPath

from formats.artifact_manifest import list_files
from formats.published.shards import looks_like_data

SUFFIX = ".parquet"


def list_data_files(folder: str) -> list[str]:
    """Lists the data files below a folder on a disk or in an object store, sorted.

    Hidden files, and files whose names do not look like data, are left out.

    Returns:
        Their paths relative to the folder.
    """
    paths = (PurePosixPath(path) for path in list_files(folder.rstrip("/")))
    return sorted(
        str(path)
        for path in paths
        if looks_like_data(path.name) and not any(part[0] in "._" for part in path.parts)
    )


def output_name(path: str) -> str:
    """Returns the path of the output of a file.

    >>> output_name("new/a.tfrecord"), output_name("a.parquet")
    ('new/a.tfrecord.parquet', 'a.parquet')
    """
    return path if path.endswith(SUFFIX) else f"{path}{SUFFIX}"
