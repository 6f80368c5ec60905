"""Byte streams: decompression of concatenated members, and reading the first bytes ahead."""

import bz2
import errno
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import zstandard

from formats.chunk_stream import ChunkStream
from pipeline.intake.intake_error import IntakeError

HEAD_BYTES = 1 << 18
"""Number of first bytes by which the kind of a file is recognized."""

_CHUNK_BYTES = 1 << 16

DECODERS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "zlib": lambda: zlib.decompressobj(15),
    "bzip2": bz2.BZ2Decompressor,
    "xz": lzma.LZMADecompressor,
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
}
"""Makers of decoders by compression; all have `decompress`, `eof` and `unused_data`."""

UNPACKING_ERRORS = (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError)
"""Errors of the decoders for truncated and corrupt data, and of the system."""


def is_of_the_system(error: Exception) -> bool:
    """Returns whether an error is the machine's, such as a full disk, and not the data's."""
    # Libraries give EINVAL for data that they cannot read.
    is_fault = isinstance(error, OSError) and error.errno not in (None, 0, errno.EINVAL)
    return is_fault or isinstance(error, MemoryError)


@contextmanager
def damage_named(name: str, kind: str, *errors: type[Exception]) -> Iterator[None]:
    """Names the input in errors that a library raises for damaged files.

    Raises:
        IntakeError: instead of one of the errors, unless that is one of the system.
    """
    expected: tuple[type[Exception], ...] = (*errors, OSError)
    try:
        yield
    except expected as error:
        if is_of_the_system(error):
            raise
        reason = str(error).partition("\n")[0]
        fault, remedy = f"is a truncated or corrupt {kind} file", "Fetch it again"
        if "recognized" in reason:
            fault = f"has a type of a later version of {kind}"
            remedy = "Write numbers as float32, and texts as plain strings"
            remedy += " (in Polars with `compat_level=CompatLevel.oldest()`)"
        raise IntakeError(f"{name}: {fault} ({reason}). {remedy}.") from error


def look_ahead(stream: io.BufferedIOBase) -> tuple[bytes, io.BufferedReader]:
    """Reads the first bytes of a stream.

    Returns:
        About `HEAD_BYTES` bytes, and a stream that starts with them again. A later error is
        raised when the stream is read up to its place.

    Raises:
        UNPACKING_ERRORS: not even the first bytes can be read.
    """
    head, error = b"", None
    try:
        while len(head) < HEAD_BYTES and (chunk := stream.read1(_CHUNK_BYTES)):
            head += chunk
    except UNPACKING_ERRORS as raised:
        if not head:
            raise
        error = raised

    def chunks() -> Iterator[bytes]:
        yield head
        if error:
            raise error
        while chunk := stream.read1(_CHUNK_BYTES):
            yield chunk

    return head, io.BufferedReader(ChunkStream(chunks()), _CHUNK_BYTES)


def decompress(stream: io.BufferedIOBase, compression: str) -> io.BufferedReader:
    """Decompresses a stream; members may be concatenated and padded with zeros.

    Raises:
        UNPACKING_ERRORS: while reading, if the data is truncated or corrupt.
    """
    chunks = _decompressed(stream, DECODERS[compression])
    return io.BufferedReader(ChunkStream(chunks), _CHUNK_BYTES)


def _decompressed(stream: io.BufferedIOBase, new_decoder: Callable[[], Any]) -> Iterator[bytes]:
    data = stream.read(_CHUNK_BYTES)
    while data:
        decoder = new_decoder()
        while not decoder.eof:
            if not data:
                raise EOFError("the compressed data ends too early")
            if unpacked := decoder.decompress(data):
                yield unpacked
            data = b"" if decoder.eof else stream.read(_CHUNK_BYTES)
        data = decoder.unused_data.lstrip(b"\0")
        while not data and (more := stream.read(_CHUNK_BYTES)):
            data = more.lstrip(b"\0")
