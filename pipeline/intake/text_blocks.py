"""Text in blocks of whole lines, with line numbers."""

import re
from collections.abc import Iterator
from typing import BinaryIO

from pipeline.intake.byte_streams import UNPACKING_ERRORS, is_of_the_system
from pipeline.intake.intake_error import IntakeError

BLOCK_BYTES = 24 << 20
"""Size of a block: some ten thousand events."""

LINE_END = re.compile(rb"\r\n|\r|\n")

_READ_BYTES = 1 << 20
_MAX_LINE_BYTES = 64 << 20


def read_blocks(name: str, stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Reads text in blocks of whole lines; only the last block may lack a newline.

    Args:
        name: of the input, for messages.
        stream: the text.

    Yields:
        A block and the number of its first line, from 1.

    Raises:
        IntakeError: a line is too long, or the data is truncated or corrupt; all lines before
            have been yielded by then.
    """
    parts: list[bytes] = []
    line, size, target, ended, fault = 1, 0, BLOCK_BYTES, False, None
    while not ended:
        try:
            chunk = stream.read1(_READ_BYTES)  # type: ignore[attr-defined]
        except UNPACKING_ERRORS as error:
            if is_of_the_system(error):
                raise
            chunk, fault = b"", error
        ended, size = not chunk, size + len(chunk)
        parts.append(chunk)
        if size < target and not ended:
            continue
        block, parts = _split_off_lines(parts)
        if block:
            yield block, line
            line += count_lines(block)
        size = sum(map(len, parts))
        # A long line is not searched again with every chunk.
        target = BLOCK_BYTES if block else size + BLOCK_BYTES
        if size > _MAX_LINE_BYTES:
            raise IntakeError(
                f"{name}: line {line} is longer than {_MAX_LINE_BYTES >> 20} MB. Expected a "
                "table with one event per line."
            )
    if fault:
        raise IntakeError(
            f"{name}: cannot be unpacked after line {line - 1}: the compressed data is truncated "
            f"or corrupt ({fault}). Fetch the file again; if it is one of several "
            "parts, join them first."
        ) from fault
    if rest := b"".join(parts):
        yield rest, line


def _split_off_lines(parts: list[bytes]) -> tuple[bytes, list[bytes]]:
    """Joins the parts up to the last line end, and returns what follows it."""
    # Most often it is in the last part, so the others are copied once.
    for index in range(len(parts) - 1, -1, -1):
        if end := parts[index].rfind(b"\n") + 1:
            whole = b"".join([*parts[:index], memoryview(parts[index])[:end]])
            return whole, [parts[index][end:], *parts[index + 1 :]]
    data = b"".join(parts)
    end = data.rfind(b"\r", 0, len(data) - 1) + 1  # The last one may be the first half of \r\n.
    return data[:end], [data[end:]]


def count_lines(block: bytes) -> int:
    """Counts the line ends of a block, as `LINE_END` finds them.

    >>> count_lines(b"a\\r\\nb\\r\\n"), count_lines(b"a\\rb\\n")
    (2, 2)
    """
    newlines = block.count(b"\n")
    # The search for one byte is far faster than the counts.
    if b"\r" not in block:
        return newlines
    return newlines + block.count(b"\r") - block.count(b"\r\n")
