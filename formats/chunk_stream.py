"""Stream of bytes that come in chunks."""

import io
from collections.abc import Iterator
from typing import Any


class ChunkStream(io.RawIOBase):
    """A readable stream of the chunks of an iterator."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        """Takes the chunks, which are requested one by one when they are read."""
        super().__init__()
        self._chunks, self._rest = chunks, memoryview(b"")

    def readable(self) -> bool:
        """Returns True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Reads the rest of a chunk, or as much of it as fits; returns 0 at the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
