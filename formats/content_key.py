"""Content key of a data set: identifies its shards by what they contain.

TFX identifies ingested data by the number of files, their bytes and their modification times in
whole seconds. Files that are replaced with their times preserved (``cp -p``, ``rsync -a``, tar)
keep all three.
"""

import hashlib
import io
from collections.abc import Mapping
from typing import BinaryIO

PREFIX = "sha256:"
"""Start of a key that ``content_key`` computed, which ingestion can verify."""

BLOCK_BYTES = 1 << 20


def content_key(digests: Mapping[str, str]) -> str:
    """Computes the key of a set of shards.

    Args:
        digests: the SHA-256 of each shard, hexadecimal, by its path relative to the data set.

    >>> content_key({"a.tfrecord": "00", "b.tfrecord": "11"})[:15]
    'sha256:d2111682'
    """
    lines = "".join(f"{digest} {path!r}\n" for path, digest in sorted(digests.items()))
    return PREFIX + hashlib.sha256(lines.encode()).hexdigest()


class HashingReader(io.RawIOBase):
    """A binary stream that computes the SHA-256 of the bytes read from another one."""

    def __init__(self, stream: BinaryIO) -> None:
        """Reads ``stream`` from its position on; closing stays with the caller."""
        super().__init__()
        self._stream, self._digest = stream, hashlib.sha256()

    def readable(self) -> bool:
        """Returns True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Reads into ``buffer``; returns the number of bytes, 0 at the end."""
        data = self._stream.read(len(buffer))
        self._digest.update(data)
        buffer[: len(data)] = data
        return len(data)

    def finish(self) -> str:
        """Reads the rest and returns the digest of all bytes, hexadecimal."""
        while self.read(BLOCK_BYTES):
            pass
        return self._digest.hexdigest()
