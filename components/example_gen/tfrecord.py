"""TFRecord framing: shards read in chunks with both checksums checked, and written.

A record on disk is its length (uint64), the masked CRC-32C of those 8 bytes, its
bytes, and their masked CRC-32C, all little-endian
(tensorflow/core/lib/io/record_writer.h).
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import BinaryIO

import google_crc32c
import numpy as np
from numpy.typing import NDArray

CHUNK_BYTES = 8 << 20
"""Bytes of a shard looked at together; a few such buffers are all the memory reading takes."""

MAX_RECORD_BYTES = 1 << 19
"""Longest record read. A HIGGS record has 163 bytes.

It lies below the length that a gzip stream's first bytes would spell, so a shard
that starts with gzip's magic number is gzip and nothing else.
"""

GZIP_MAGIC = b"\x1f\x8b\x08"

_HEADER_BYTES = 12
_FRAME_BYTES = 16
_MASK_DELTA = np.uint32(0xA282EAD8)
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


def iter_chunks(stream: BinaryIO, source: str) -> Iterator[list[bytes]]:
    """Reads a shard front to back, a few MB at a time.

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
            starts, fault = _frames(data)
            records, checked = _payloads(data, starts)
            if records:
                yield records
            count += len(records)
            if fault or not checked:
                raise _corrupt(source, count, fault or _DATA_CRC, data, kind)
            rest = data[starts[-1] :]
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


def _frames(data: bytes) -> tuple[list[int], str]:
    """Finds where each whole record's frame starts.

    Returns:
        The starts and, last, the end of the last whole frame; and what is wrong with the
        header there, empty when nothing is (a frame may still be unfinished).
    """
    starts, position, end = [0], 0, len(data)
    while position + _HEADER_BYTES <= end:
        length = _checked_length(data[position : position + _HEADER_BYTES])
        if length < 0:
            return starts, _LENGTH_CRC
        if length > MAX_RECORD_BYTES:
            return starts, _TOO_LONG
        position += length + _FRAME_BYTES
        if position > end:
            break
        starts.append(position)
    return starts, ""


@lru_cache(maxsize=1024)  # Few lengths occur in a shard, so few headers are ever checked.
def _checked_length(header: bytes) -> int:
    """The length that a 12-byte header gives, or -1 when its checksum does not fit."""
    length, crc = header[:8], int.from_bytes(header[8:], "little")
    return int.from_bytes(length, "little") if masked_crcs([length])[0] == crc else -1


def _payloads(data: bytes, starts: list[int]) -> tuple[list[bytes], bool]:
    """Cuts the records out of their frames, as far as their checksums fit.

    Returns:
        The records before the first wrong checksum, and whether that is all of them.
    """
    ends = np.array(starts[1:], np.int64)
    records = [data[a + _HEADER_BYTES : b - 4] for a, b in pairwise(starts)]
    stored = np.frombuffer(data, np.uint8)[ends[:, None] + np.arange(-4, 0)].view("<u4").ravel()
    wrong = np.flatnonzero(stored != masked_crcs(records))
    return (records[: wrong[0]], False) if wrong.size else (records, True)


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


def masked_crcs(records: list[bytes]) -> NDArray[np.uint32]:
    """The masked CRC-32C of each record: rotated right by 15 bits, plus a constant."""
    crcs = np.fromiter(map(google_crc32c.value, records), np.uint32, len(records))
    return (crcs >> np.uint32(15) | crcs << np.uint32(17)) + _MASK_DELTA


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
