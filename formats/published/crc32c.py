"""CRC-32C, as TFRecord masks it, of many records at once.

A call for each record is most of the time that reading takes, and no other thread
computes meanwhile. Records of one length are therefore checked a group at a time: the
checksums that the file gives for them are joined, by array operations, into that of all
their bytes together, and compared with it. That finds all that a check of each record
finds, but for damage to several records of one group, of which it misses one case in
2^32: no more than the format itself misses where one record is damaged.
"""

from collections.abc import Sequence
from functools import lru_cache

import google_crc32c
import numpy as np
from numpy.typing import NDArray

_DOUBLINGS = 6
GROUP = 1 << _DOUBLINGS
"""Records checked together."""

_MASK_DELTA = np.uint32(0xA282EAD8)


def masked_crcs(records: Sequence[bytes] | NDArray[np.uint8]) -> NDArray[np.uint32]:
    """The masked CRC-32C of each record: rotated right by 15 bits, plus a constant.

    Args:
        records: the records, or the rows of a uint8 [N, length].
    """
    crcs = np.fromiter(map(google_crc32c.value, records), np.uint32, len(records))
    return (crcs >> np.uint32(15) | crcs << np.uint32(17)) + _MASK_DELTA


def first_wrong(rows: NDArray[np.uint8], masked: NDArray[np.uint32]) -> int:
    """Finds the first record that is not the one its checksum was taken of.

    Args:
        rows: uint8 [N, length], the records; each row contiguous.
        masked: uint32 [N], the masked checksum given for each.

    Returns:
        Its row; N where there is none.
    """
    whole = len(rows) - len(rows) % GROUP
    given = join_crcs(_unmask(masked[:whole]), rows.shape[1], _DOUBLINGS)
    groups = np.ascontiguousarray(rows[:whole]).reshape(len(given), GROUP * rows.shape[1])
    found = np.fromiter(map(google_crc32c.value, groups), np.uint32, len(groups))
    bad = np.flatnonzero(found != given)
    start = int(bad[0]) * GROUP if bad.size else whole
    suspects = slice(start, start + GROUP)
    wrong = np.flatnonzero(masked_crcs(rows[suspects]) != masked[suspects])
    return start + int(wrong[0]) if wrong.size else len(rows)


def join_crcs(crcs: NDArray[np.uint32], length: int, doublings: int) -> NDArray[np.uint32]:
    """The CRC-32C of every 2^doublings messages of `length` bytes, one after the other.

    The checksum of two messages joined is that of the first, carried over the length of
    the second, XOR that of the second; carrying is linear over the bits (as zlib's
    crc32_combine).

    Args:
        crcs: uint32 [N] of the single messages, N a multiple of 2^doublings.
        length: bytes of each message.
        doublings: how often to join pairs.
    """
    for doubling in range(doublings):
        low, high = _carry_tables(length << doubling)
        halves = np.ascontiguousarray(crcs, "<u4").view("<u2")
        crcs = low.take(halves[::4]) ^ high.take(halves[1::4]) ^ crcs[1::2]
    return crcs


def _unmask(masked: NDArray[np.uint32]) -> NDArray[np.uint32]:
    rotated = masked - _MASK_DELTA
    return rotated >> np.uint32(17) | rotated << np.uint32(15)


@lru_cache(maxsize=64)  # Half a MB each.
def _carry_tables(length: int) -> NDArray[np.uint32]:
    """What each half of a message's checksum contributes once `length` bytes are appended.

    Returns:
        uint32 [2, 65536], for each value of the low and of the high 16 bits.
    """
    zeros = bytes(length)
    appended = google_crc32c.value(zeros)
    images = [google_crc32c.extend(1 << bit, zeros) ^ appended for bit in range(32)]
    tables = np.zeros((2, 1), np.uint32)
    for low_high in np.array(images, np.uint32).reshape(2, 16).T:
        tables = np.hstack([tables, tables ^ low_high[:, None]])
    return tables
