"""Content key of a data set: identifies its shards by their content.

TFX identifies ingested data by the number of files, their bytes and their modification times in
whole seconds. Files that are replaced with their times preserved (``cp -p``, ``rsync -a``, tar)
keep all three.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from formats.chunk_stream import ChunkStream

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


class HashingReader(ChunkStream):
    """A binary stream that computes the SHA-256 of the bytes read from another one.

    Attributes:
        bytes: number of bytes read from the other one so far, in blocks.
    """

    def __init__(self, stream: BinaryIO, on_read: Callable[[int], None] = lambda _: None) -> None:
        """Reads ``stream`` from its position on; the caller closes it.

        Args:
            stream: the other one.
            on_read: called with the number of bytes read so far.
        """
        super().__init__(self._blocks(stream, on_read))
        self._digest, self.bytes = hashlib.sha256(), 0

    def _blocks(self, stream: BinaryIO, on_read: Callable[[int], None]) -> Iterator[bytes]:
        while block := stream.read(BLOCK_BYTES):
            self._digest.update(block)
            self.bytes += len(block)
            on_read(self.bytes)
            yield block

    def finish(self) -> str:
        """Reads the rest and returns the digest of all bytes, hexadecimal."""
        for _ in self._chunks:
            pass
        return self._digest.hexdigest()


def hash_file(path: Path) -> str:
    """Returns the SHA-256 of a file's content, hexadecimal."""
    with path.open("rb") as file:
        return HashingReader(file).finish()
