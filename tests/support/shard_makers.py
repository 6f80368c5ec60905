"""Shards on disk: framed independently of the code under test, written, read, and damaged."""

from collections.abc import Iterable
from pathlib import Path

import google_crc32c
from event_makers import join_events, select

from formats.published.record import Events, encode_events, read_events


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    rotated = (crc >> 15 | crc << 17) & 0xFFFFFFFF
    return ((rotated + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")


def frame(records: Iterable[bytes]) -> bytes:
    """The content of a TFRecord file, as tensorflow/core/lib/io/record_writer.h describes it."""
    framed = []
    for record in records:
        length = len(record).to_bytes(8, "little")
        framed += [length, _masked_crc(length), record, _masked_crc(record)]
    return b"".join(framed)


def write_shards(folder: Path, events: Events, sizes: Iterable[int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    start = 0
    for index, size in enumerate(sizes):
        content = encode_events(select(events, slice(start, start + size)))
        (folder / f"shard-{index:05d}.tfrecord").write_bytes(content)
        start += size


def read_folder(folder: Path, ignored_keys: Iterable[str] = ()) -> Events:
    """All events of a folder's shards, in the order of their names."""
    chunks = []
    for path in sorted(folder.glob("*.tfrecord")):
        with path.open("rb") as file:
            chunks += read_events(file, path.name, list(ignored_keys))
    return join_events(chunks)


def flip_bit(content: bytes, position: int, bit: int = 0) -> bytes:
    changed = bytearray(content)
    changed[position] ^= 1 << bit
    return bytes(changed)


def truncate(path: Path, count: int) -> None:
    """Cuts off the last bytes of a file."""
    path.write_bytes(path.read_bytes()[:-count])
