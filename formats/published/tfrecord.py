"""TFRecord framing: reads shards in chunks, verifies both checksums, and writes shards.

A record on disk is its length (uint64), the masked CRC-32C of those 8 bytes, its bytes, and their
masked CRC-32C, all little-endian (tensorflow/core/lib/io/record_writer.h).
"""

import gzip
import io
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from typing import BinaryIO

import google_crc32c
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from formats.chunk_stream import ChunkStream
from formats.errors import UserError
from formats.file_kinds import describe, remedy

CHUNK_BYTES = 1 << 20
"""Bytes of a shard that are decoded at a time.

Larger buffers would be returned to the system each time, and allocating them again takes longer
than reading.
"""

MAX_RECORD_BYTES = 1 << 19
"""Longest accepted record. A HIGGS record has 163 bytes.

The first bytes of a gzip stream, read as a length, are larger: a shard that starts with gzip's
magic number can only be gzip.
"""

GZIP_MAGIC = b"\x1f\x8b\x08"

_HEADER_BYTES = 12
_TRAILER_BYTES = 4
_FRAME_BYTES = _HEADER_BYTES + _TRAILER_BYTES

_MASK_DELTA = np.uint32(0xA282EAD8)

# Frames are scanned one by one until the same header has been repeated this often, then this many
# together: fast for records of one length, and without wasted work for mixed ones.
_REPEATS = 8
_RUN_FRAMES = 8192
_REWRITE = "Fetch or write this shard again."
_ONE_EVENT = "Write one record per event, with its numbers only."
_LAYOUT = (
    "Expected a TFRecord shard, plain or gzip; `higgs convert` makes them from any table of events."
)


class RecordError(UserError, ValueError):
    """A shard that cannot be read as HIGGS records.

    Attributes:
        source: the shard's name.
        number: index of the record in the shard, from 0; None for the whole file.
        reason: what is wrong, with the offending value.
        remedy: what to do about it.
    """

    exit_code = 4

    def __init__(self, source: str, number: int | None, reason: str, remedy: str) -> None:
        super().__init__(source, number, reason, remedy)
        self.source, self.number, self.reason, self.remedy = source, number, reason, remedy

    def __str__(self) -> str:
        where = "" if self.number is None else f" record {self.number} (counted from 0)"
        return f"{self.source}:{where} {self.reason}. {self.remedy}"


@dataclass(frozen=True)
class Chunk:
    """Consecutive records of a shard, still in their frames.

    Attributes:
        data: uint8, the bytes that contain them.
        starts: int64 [N + 1], the start of each frame, and the end of the last one.
    """

    data: NDArray[np.uint8]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __iter__(self) -> Iterator[bytes]:
        return map(self.record, range(len(self)))

    def record(self, index: int) -> bytes:
        """Returns the bytes of one record."""
        start, end = self.starts[index : index + 2].tolist()
        return self.data[start + _HEADER_BYTES : end - _TRAILER_BYTES].tobytes()

    def groups(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
        """Groups the records by length.

        Yields:
            For each length, int64 [n], the indices of its records, and uint8 [n, length], the
            records; a view if all records have the same length.
        """
        for indices, frames in self._frame_groups():
            yield indices, frames[:, _HEADER_BYTES:-_TRAILER_BYTES]

    def verified(self) -> "Chunk":
        """Returns the records before the first one whose data checksum is wrong."""
        end = len(self)
        for indices, frames in self._frame_groups():
            stored = np.ascontiguousarray(frames[:, -_TRAILER_BYTES:]).view("<u4")[:, 0]
            records = split_rows(frames[:, _HEADER_BYTES:-_TRAILER_BYTES])
            mismatches = indices[masked_crcs(records) != stored]
            end = min([end, *mismatches[:1].tolist()])
        return self if end == len(self) else Chunk(self.data, self.starts[: end + 1])

    def _frame_groups(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
        sizes = np.diff(self.starts)
        is_uniform = (sizes == sizes[:1]).all()
        for size in sizes[:1].tolist() if is_uniform else np.unique(sizes).tolist():
            windows = sliding_window_view(self.data, size)
            if is_uniform:
                yield np.arange(len(self)), windows[: self.starts[-1] : size]
            else:
                indices = np.flatnonzero(sizes == size)
                yield indices, windows[self.starts[indices]]


def masked_crcs(records: Sequence[bytes]) -> NDArray[np.uint32]:
    """Computes each record's CRC-32C as TFRecord masks it: rotated right by 15, plus a constant."""
    crcs = np.fromiter(map(google_crc32c.value, records), np.uint32, len(records))
    return (crcs >> np.uint32(15) | crcs << np.uint32(17)) + _MASK_DELTA


def iter_chunks(stream: BinaryIO, source: str) -> Iterator[Chunk]:
    """Reads a shard sequentially, one chunk at a time.

    Args:
        stream: the shard, plain or gzip, recognized by its first bytes; it need not be seekable.
        source: the shard's name, for messages.

    Yields:
        The records of one chunk, in file order. An empty shard yields nothing.

    Raises:
        RecordError: the shard is truncated, corrupt, or not a TFRecord file. All records before
            the damage have been yielded by then.
    """
    stream, compression = open_plain(stream)
    rest, count = b"", 0
    try:
        while block := stream.read(CHUNK_BYTES):
            data = rest + block
            chunk, fault = _find_frames(data)
            verified = chunk.verified()
            if len(verified):
                yield verified
            count += len(verified)
            if verified is not chunk:
                fault = _DATA_CRC
            if fault:
                raise _corrupt(source, count, fault, data, compression)
            rest = data[chunk.starts[-1] :]
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        reason = f"cannot be unpacked: the gzip data is truncated or corrupt ({error})"
        raise RecordError(source, count, reason, _REWRITE) from error
    if rest:
        raise _truncated(source, count, rest, compression)


def open_plain(stream: BinaryIO) -> tuple[BinaryIO, str]:
    """Opens a stream that may be gzip, recognized by its magic number.

    Returns:
        The uncompressed stream, and its compression: ``"gzip"`` or ``"none"``.
    """
    head = stream.read(len(GZIP_MAGIC))
    chunks = chain([head], iter(partial(stream.read, CHUNK_BYTES), b""))
    complete = io.BufferedReader(ChunkStream(chunks), CHUNK_BYTES)
    if head == GZIP_MAGIC:
        return gzip.GzipFile(fileobj=complete), "gzip"  # type: ignore[return-value]
    return complete, "none"


_LENGTH_CRC = "has a wrong length checksum"
_DATA_CRC = "has a wrong data checksum: its bytes are not the ones that were written"
_TOO_LONG = f"is longer than {MAX_RECORD_BYTES} bytes; a HIGGS record has 163"


def _find_frames(data: bytes) -> tuple[Chunk, str]:
    """Finds the start of each complete frame.

    Returns:
        The records; and what is wrong with the header after them, empty if nothing is (the last
        frame may be incomplete).
    """
    content, fault = np.frombuffer(data, np.uint8), ""
    starts, position, previous, repeats = array("q", [0]), 0, b"", 0
    while len(header := data[position : position + _HEADER_BYTES]) == _HEADER_BYTES:
        length = checked_length(header)
        if length < 0 or length > MAX_RECORD_BYTES:
            fault = _LENGTH_CRC if length < 0 else _TOO_LONG
            break
        size = length + _FRAME_BYTES
        if position + size > len(data):
            break
        repeats, previous = (repeats + 1 if header == previous else 0), header
        if repeats < _REPEATS:
            starts.append(position + size)
        else:
            count = _run_length(content[position:], size)
            ends = position + size * np.arange(1, count + 1, dtype=np.int64)
            starts.frombytes(ends.tobytes())
        position = starts[-1]
    return Chunk(content, np.frombuffer(starts, np.int64)), fault


def _run_length(data: NDArray[np.uint8], size: int) -> int:
    """Counts the frames of `size` bytes at the start of `data` that have the same header."""
    count = min(len(data) // size, _RUN_FRAMES)
    headers = data[: count * size].reshape(count, size)[:, :_HEADER_BYTES].view("V12")[:, 0]
    different = np.flatnonzero(headers != headers[0])
    return int(different[0]) if different.size else count


@lru_cache(maxsize=1024)  # Few lengths occur in a shard, so few headers are ever verified.
def checked_length(header: bytes) -> int:
    """Reads the length in a 12-byte header; -1 if its checksum is wrong."""
    length, crc = header[:8], int.from_bytes(header[8:], "little")
    return int.from_bytes(length, "little") if masked_crcs([length])[0] == crc else -1


def _corrupt(source: str, number: int, reason: str, data: bytes, compression: str) -> RecordError:
    if number or reason != _LENGTH_CRC:
        return RecordError(source, number, reason, _ONE_EVENT if reason == _TOO_LONG else _REWRITE)
    return _not_tfrecord(source, data, compression)


def _truncated(source: str, number: int, rest: bytes, compression: str) -> RecordError:
    if number == 0 and len(rest) < _HEADER_BYTES:
        return _not_tfrecord(source, rest, compression)
    reason = f"is truncated: the file ends {len(rest)} bytes into it"
    return RecordError(source, number, reason, _REWRITE)


def _not_tfrecord(source: str, head: bytes, compression: str) -> RecordError:
    kind = describe(head[:4096]) + (" inside gzip" if compression == "gzip" else "")
    first = remedy(head[:4096])
    reason = f"is not a TFRecord file: it looks like {kind}"
    return RecordError(source, None, reason, f"{first}. {_LAYOUT}" if first else _LAYOUT)


def frame_equal(records: NDArray[np.uint8]) -> bytes:
    """Frames records of one length, the rows of a uint8 [N, length], as TFRecord file content."""
    count, length = records.shape
    length_bytes = length.to_bytes(8, "little")
    framed = np.empty((count, length + _FRAME_BYTES), np.uint8)
    framed[:, :8] = np.frombuffer(length_bytes, np.uint8)
    framed[:, 8:_HEADER_BYTES] = masked_crcs([length_bytes]).astype("<u4").view(np.uint8)
    framed[:, _HEADER_BYTES:-4] = records
    framed[:, -4:] = masked_crcs(split_rows(records)).astype("<u4").view(np.uint8).reshape(-1, 4)
    return framed.tobytes()


def split_rows(rows: NDArray[np.uint8]) -> list[bytes]:
    """Converts each row of a uint8 [N, length] to bytes."""
    count, length = rows.shape
    if length == 0:
        return [b""] * count
    parts: list[bytes] = np.ascontiguousarray(rows).view(f"V{length}")[:, 0].tolist()
    return parts
