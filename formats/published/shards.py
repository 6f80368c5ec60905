"""File names of shards."""

from pathlib import PurePath

SHARDS = "*.tfrec*"
"""Pattern of the shards of a folder."""


def is_shard(path: str | PurePath) -> bool:
    """Tells whether a file that matches ``SHARDS`` is a shard, neither hidden nor unfinished.

    >>> is_shard("data/a.tfrecord"), is_shard("data/.a.tfrecord.part")
    (True, False)
    """
    return not PurePath(path).name.startswith((".", "_"))
