"""Which files of a folder are shards."""

from pathlib import PurePath

SHARDS = "*.tfrec*"


def is_shard(path: str | PurePath) -> bool:
    """Whether a file that matches ``SHARDS`` is one, rather than hidden or unfinished."""
    return not PurePath(path).name.startswith((".", "_"))
