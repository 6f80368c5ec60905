"""TFRecord framing: shards read in chunks with both checksums checked, and written.

A record on disk is its length (uint64), the masked CRC-32C of those 8 bytes, its
bytes, and their masked CRC-32C, all little-endian
(tensorflow/core/lib/io/record_writer.h).
"""

import gzip
import io
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from formats.published.crc32c import first_wrong, masked_crcs

CHUNK_BYTES = 1 << 20
"""Bytes of a shard looked at together; a few such buffers are all the memory reading takes.

Larger ones go back to the system each time, and getting them anew takes longer than reading.
"""

MAX_RECORD_BYTES = 1 << 19
"""Longest record read. A HIGGS record has 163 bytes.

It lies below the length that a gzip stream's first bytes would spell, so a shard
that starts with gzip's magic number is gzip and nothing else.
"""

GZIP_MAGIC = b"\x1f\x8b\x08"

_HEADER_BYTES = 12
_TRAILER_BYTES = 4
_FRAME_BYTES = _HEADER_BYTES + _TRAILER_BYTES

# Frames are looked at one by one until the same header has come this often again, then this
# many together: shards of one length take few steps, and mixed ones no useless ones.
_REPEATS = 8
_RUN_FRAMES = 8192
_REWRITE = "Fetch or write this shard again."
_LAYOUT = (
    "Expected a TFRecord shard, plain or gzip; `higgs convert` makes them from UCI's HIGGS.csv.gz."
)


class RecordError(ValueError):
    """A shard that cannot be read as HIGGS records.

    Attributes:
        source: the shard's name.
        number: the record's place in the shard, counted from 0; None when the whole file is meant.
        reason: what is wrong, with the value that was found.
        remedy: what to do about it.
    """

    def __init__(self, source: str, number: int | None, reason: str, remedy: str) -> None:
        super().__init__(source, number, reason, remedy)
        self.source, self.number, self.reason, self.remedy = source, number, reason, remedy

    def __str__(self) -> str:
        where = "" if self.number is None else f" record {self.number} (counted from 0)"
        return f"{self.source}:{where} {self.reason}. {self.remedy}"


def describe(head: bytes) -> str:
    """Says in a few words what a file is whose first bytes are `head`."""
    signatures = {
        GZIP_MAGIC: "a gzip file",
        b"PAR1": "a Parquet file",
        b"ARROW1": "an Arrow file",
        b"PK\x03\x04": "a zip archive",
        b"\x89HDF": "an HDF5 file",
        b"\x93NUMPY": "a NumPy array file",
        b"<": "an HTML or XML page",
        b"{": "JSON",
        b"[": "JSON",
    }
    text = head.lstrip()
    for magic, kind in signatures.items():
        if text.startswith(magic):
            return kind
    if not _is_text(head):
        return "binary data of no known kind"
    commas = [line.count(b",") for line in head.splitlines()[:2]]
    return "CSV" if commas and min(commas) > 0 and len(set(commas)) == 1 else "text"


def _is_text(head: bytes) -> bool:
    return all(byte in b"\t\r\n" or byte >= 0x20 for byte in head) and head.isascii()


@dataclass(frozen=True)
class Chunk:
    """Records that follow one another in a shard, still in their frames.

    Attributes:
        data: uint8, the bytes they lie in.
        starts: int64 [N + 1], where each one's frame starts and, last, where the last ends.
    """

    data: NDArray[np.uint8]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __iter__(self) -> Iterator[bytes]:
        return map(self.record, range(len(self)))

    def record(self, index: int) -> bytes:
        """One record's bytes."""
        start, end = self.starts[index : index + 2].tolist()
        return self.data[start + _HEADER_BYTES : end - _TRAILER_BYTES].tobytes()

    def groups(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
        """The records by length.

        Yields:
            For each length, int64 [n], the places of its records among all, and uint8
            [n, length], the records; a view where all records are of one length.
        """
        for places, frames in self._framed():
            yield places, frames[:, _HEADER_BYTES:-_TRAILER_BYTES]

    def sound(self) -> "Chunk":
        """The records before the first whose data checksum is wrong."""
        end = len(self)
        for places, frames in self._framed():
            stored = np.ascontiguousarray(frames[:, -_TRAILER_BYTES:]).view("<u4")[:, 0]
            wrong = first_wrong(frames[:, _HEADER_BYTES:-_TRAILER_BYTES], stored)
            end = min([end, *places[wrong : wrong + 1].tolist()])
        return self if end == len(self) else Chunk(self.data, self.starts[: end + 1])

    def _framed(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
        sizes = np.diff(self.starts)
        alike = (sizes == sizes[:1]).all()
        for size in sizes[:1].tolist() if alike else np.unique(sizes).tolist():
            windows = sliding_window_view(self.data, size)
            if alike:
                yield np.arange(len(self)), windows[: self.starts[-1] : size]
            else:
                places = np.flatnonzero(sizes == size)
                yield places, windows[self.starts[places]]


def iter_chunks(stream: BinaryIO, source: str) -> Iterator[Chunk]:
    """Reads a shard front to back, a chunk at a time.

    Args:
        stream: the shard, plain or gzip (told by its first bytes); it need not be seekable.
        source: the shard's name, for messages.

    Yields:
        The records of one chunk, in file order. An empty shard yields nothing.

    Raises:
        RecordError: the shard is truncated, corrupt or no TFRecord. All records before
            the fault have been yielded by then.
    """
    stream, kind = open_plain(stream)
    rest, count = b"", 0
    try:
        while block := stream.read(CHUNK_BYTES):
            data = rest + block
            chunk, fault = _frames(data)
            sound = chunk.sound()
            if len(sound):
                yield sound
            count += len(sound)
            if fault or sound is not chunk:
                raise _corrupt(source, count, fault if sound is chunk else _DATA_CRC, data, kind)
            rest = data[chunk.starts[-1] :]
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        reason = f"cannot be unpacked: the gzip data is truncated or corrupt ({error})"
        raise RecordError(source, count, reason, _REWRITE) from error
    if rest:
        raise _truncated(source, count, rest, kind)


def open_plain(stream: BinaryIO) -> tuple[BinaryIO, str]:
    """Undoes gzip where there is any, told by the magic number.

    Returns:
        The plain stream, and how it was packed: ``"gzip"`` or ``"none"``.
    """
    head = stream.read(len(GZIP_MAGIC))
    whole = io.BufferedReader(_Rejoined(head, stream), CHUNK_BYTES)
    if head == GZIP_MAGIC:
        return gzip.GzipFile(fileobj=whole), "gzip"  # type: ignore[return-value]
    return whole, "none"


class _Rejoined(io.RawIOBase):
    """A stream whose first bytes were taken off to be looked at, whole again."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        super().__init__()
        self._head, self._stream = head, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._head[: len(buffer)] or self._stream.read(len(buffer))
        self._head = self._head[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


_LENGTH_CRC = "has a wrong length checksum"
_DATA_CRC = "has a wrong data checksum: its bytes are not the ones that were written"
_TOO_LONG = f"is longer than {MAX_RECORD_BYTES} bytes, where a HIGGS record has 163"


def _frames(data: bytes) -> tuple[Chunk, str]:
    """Finds where each whole record's frame starts.

    Returns:
        The records; and what is wrong with the header after them, empty when nothing is (a
        frame may still be unfinished).
    """
    content, fault = np.frombuffer(data, np.uint8), ""
    starts, position, before, repeats = array("q", [0]), 0, b"", 0
    while len(header := data[position : position + _HEADER_BYTES]) == _HEADER_BYTES:
        length = _checked_length(header)
        if length < 0 or length > MAX_RECORD_BYTES:
            fault = _LENGTH_CRC if length < 0 else _TOO_LONG
            break
        size = length + _FRAME_BYTES
        if position + size > len(data):
            break
        repeats, before = (repeats + 1 if header == before else 0), header
        if repeats < _REPEATS:
            starts.append(position + size)
        else:
            count = _run(content[position:], size)
            ends = position + size * np.arange(1, count + 1, dtype=np.int64)
            starts.frombytes(ends.tobytes())
        position = starts[-1]
    return Chunk(content, np.frombuffer(starts, np.int64)), fault


def _run(data: NDArray[np.uint8], size: int) -> int:
    """How many frames of `size` bytes from the start of `data` on have the first one's header."""
    count = min(len(data) // size, _RUN_FRAMES)
    headers = data[: count * size].reshape(count, size)[:, :_HEADER_BYTES].view("V12")[:, 0]
    other = np.flatnonzero(headers != headers[0])
    return int(other[0]) if other.size else count


@lru_cache(maxsize=1024)  # Few lengths occur in a shard, so few headers are ever checked.
def _checked_length(header: bytes) -> int:
    """The length that a 12-byte header gives, or -1 when its checksum does not fit."""
    length, crc = header[:8], int.from_bytes(header[8:], "little")
    return int.from_bytes(length, "little") if masked_crcs([length])[0] == crc else -1


def _corrupt(source: str, number: int, reason: str, data: bytes, kind: str) -> RecordError:
    if number or reason == _DATA_CRC:
        return RecordError(source, number, reason, _REWRITE)
    return not_tfrecord(source, data, kind)


def _truncated(source: str, number: int, rest: bytes, kind: str) -> RecordError:
    if number == 0 and len(rest) < _HEADER_BYTES:
        return not_tfrecord(source, rest, kind)
    reason = f"is truncated: the file ends {len(rest)} bytes into it"
    return RecordError(source, number, reason, _REWRITE)


def not_tfrecord(source: str, head: bytes, kind: str) -> RecordError:
    """The error for a file whose first bytes, unpacked from `kind`, are no TFRecord's."""
    found = describe(head[:4096]) + (" inside gzip" if kind == "gzip" else "")
    return RecordError(source, None, f"no TFRecord file: it looks like {found}", _LAYOUT)


def frame(records: list[bytes]) -> bytes:
    """Frames records of any lengths as TFRecord file content."""
    lengths = [len(record).to_bytes(8, "little") for record in records]
    headers = masked_crcs(lengths).astype("<u4").tobytes()
    trailers = masked_crcs(records).astype("<u4").tobytes()
    cuts = range(0, len(headers), 4)
    parts = zip(lengths, cuts, records, strict=True)
    return b"".join(
        part
        for length, i, record in parts
        for part in (length, headers[i : i + 4], record, trailers[i : i + 4])
    )


def frame_equal(records: NDArray[np.uint8]) -> bytes:
    """Frames records of one length, the rows of a uint8 [N, length], by array operations."""
    count, length = records.shape
    header = length.to_bytes(8, "little")
    framed = np.empty((count, length + _FRAME_BYTES), np.uint8)
    framed[:, :8] = np.frombuffer(header, np.uint8)
    framed[:, 8:_HEADER_BYTES] = masked_crcs([header]).astype("<u4").view(np.uint8)
    framed[:, _HEADER_BYTES:-4] = records
    framed[:, -4:] = masked_crcs(split_rows(records)).astype("<u4").view(np.uint8).reshape(-1, 4)
    return framed.tobytes()


def split_rows(rows: NDArray[np.uint8]) -> list[bytes]:
    """The rows of a uint8 [N, length], each as bytes."""
    data, length = rows.tobytes(), rows.shape[1]
    return [data[i : i + length] for i in range(0, len(data), length)]
