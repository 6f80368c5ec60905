"""Text in blocks of whole lines, with line numbers."""

import re
from collections.abc import Iterator
from typing import BinaryIO

from pipeline.intake.byte_streams import UNPACKING_ERRORS
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
        IntakeError: a line is too long, or the data are truncated or corrupt; all lines before
            have been yielded by then.
    """
    rest, line = b"", 1
    try:
        for piece in _pieces(stream):
            data = rest + piece
            end = data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, len(data) - 1) + 1
            block, rest = data[:end], data[end:]
            if block:
                yield block, line
                line += count_lines(block)
            if len(rest) > _MAX_LINE_BYTES:
                raise IntakeError(
                    f"{name}: line {line} is longer than {_MAX_LINE_BYTES >> 20} MB. Expected a "
                    "table with one event per line."
                )
    except UNPACKING_ERRORS as error:
        raise IntakeError(
            f"{name}: cannot be unpacked after line {line - 1}: the compressed data are truncated "
            f"or corrupt ({error}). Fetch the file again."
        ) from error
    if rest:
        yield rest, line


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    """Yields all data before the end or an error, in pieces of about `BLOCK_BYTES`."""
    piece, error = bytearray(), None
    while True:
        try:
            chunk = stream.read1(_READ_BYTES)  # type: ignore[attr-defined]
        except UNPACKING_ERRORS as raised:
            chunk, error = b"", raised
        piece += chunk
        if piece and (not chunk or len(piece) >= BLOCK_BYTES):
            yield bytes(piece)
            piece.clear()
        if error:
            raise error
        if not chunk:
            return


def count_lines(block: bytes) -> int:
    """Counts the line ends of a block; all are of one kind.

    >>> count_lines(b"a\\r\\nb\\r\\n"), count_lines(b"a\\rb\\r")
    (2, 2)
    """
    return block.count(b"\n") or block.count(b"\r")
