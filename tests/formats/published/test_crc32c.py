import google_crc32c
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.published.crc32c import GROUP, first_wrong, join_crcs, masked_crcs

# The CRC-32C test vectors of RFC 3720, B.4.
RFC_VECTORS = {bytes(32): 0x8A9136AA, b"\xff" * 32: 0x62A8AB43, bytes(range(32)): 0x46DD794E}


def random_rows(count: int, length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, length), dtype=np.uint8)


def test_checksums_are_masked_crc32c():
    crcs = masked_crcs(list(RFC_VECTORS))

    for crc, plain in zip(crcs.tolist(), RFC_VECTORS.values(), strict=True):
        rotated = (plain >> 15 | plain << 17) & 0xFFFFFFFF
        assert crc == (rotated + 0xA282EAD8) & 0xFFFFFFFF


@given(st.binary(max_size=4000), st.integers(0, 5))
def test_joined_checksums_are_those_of_the_joined_messages(data, doublings):
    each = 1 << doublings
    length = max(len(data) // (3 * each), 1)
    data = data.ljust(3 * each * length, b"\xa5")[: 3 * each * length]
    rows = np.frombuffer(data, np.uint8).reshape(-1, length)
    crcs = np.array([google_crc32c.value(row.tobytes()) for row in rows], np.uint32)

    joined = join_crcs(crcs, length, doublings)

    parts = (data[i : i + each * length] for i in range(0, len(data), each * length))
    assert joined.tolist() == [google_crc32c.value(part) for part in parts]


@pytest.mark.parametrize("length", [0, 1, 163, 5000])
@pytest.mark.parametrize("count", [0, 1, GROUP - 1, GROUP, 3 * GROUP + 5])
def test_sound_records_pass(count, length):
    rows = random_rows(count, length)

    assert first_wrong(rows, masked_crcs(rows)) == count


@given(
    st.integers(1, 200),
    st.lists(st.tuples(st.integers(0, 3 * GROUP + 4), st.integers(0)), min_size=1, max_size=9),
    st.integers(0, 1000),
)
def test_first_record_with_a_flipped_bit_is_found(length, flips, seed):
    rows = random_rows(3 * GROUP + 5, length, seed)
    crcs = masked_crcs(rows)
    for row, bit in flips:
        rows[row, bit // 8 % length] = rows[row, bit // 8 % length] ^ 1 << bit % 8
    changed = np.flatnonzero(masked_crcs(rows) != crcs)

    assert first_wrong(rows, crcs) == (changed[0] if changed.size else len(rows))


@given(st.integers(0, 3 * GROUP + 4), st.integers(0, 31))
def test_flipped_bit_of_a_checksum_is_found(row, bit):
    rows = random_rows(3 * GROUP + 5, 163)
    crcs = masked_crcs(rows)
    crcs[row] ^= np.uint32(1 << bit)

    assert first_wrong(rows, crcs) == row


def test_rows_between_other_bytes_are_checked():
    framed = random_rows(2 * GROUP, 40)
    rows = framed[:, 12:-4]

    assert first_wrong(rows, masked_crcs(rows)) == 2 * GROUP
