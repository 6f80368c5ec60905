import gzip
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shard_makers import flip_bit, frame

from formats.published import tfrecord
from formats.published.tfrecord import RecordError, frame_equal, iter_chunks


def read(data: bytes) -> list[bytes]:
    return [record for chunk in iter_chunks(io.BytesIO(data), "s") for record in chunk]


def error_of(data: bytes) -> RecordError:
    with pytest.raises(RecordError) as caught:
        read(data)
    return caught.value


@pytest.fixture(scope="module")
def uniform_shard() -> bytes:
    rows = np.random.default_rng(0).integers(0, 256, (400, 163), dtype=np.uint8)
    return frame_equal(rows)


def test_frames_are_byte_for_byte_what_tensorflow_writes():
    # tf.io.TFRecordWriter(...).write(b"higgs")
    expected = "0500000000000000eab2043e6869676773e44d658b"
    assert frame_equal(np.frombuffer(b"higgs", np.uint8)[None]).hex() == expected
    assert frame([b"higgs"]).hex() == expected


@pytest.mark.slow
@given(st.lists(st.binary(max_size=300), max_size=40), st.integers(1, 900), st.booleans())
def test_records_are_read_across_chunk_borders(records, chunk_bytes, is_gzip):
    data = gzip.compress(frame(records)) if is_gzip else frame(records)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tfrecord, "CHUNK_BYTES", chunk_bytes)
        assert read(data) == records


def test_records_of_one_length_are_framed_like_any_others():
    rows = np.random.default_rng(0).integers(0, 256, (7, 163), dtype=np.uint8)

    assert frame_equal(rows) == frame([row.tobytes() for row in rows])


def test_stream_that_cannot_seek_is_read():
    class Pipe(io.RawIOBase):
        def __init__(self, data):
            self.inner = io.BytesIO(data)

        def read(self, size=-1):
            return self.inner.read(size)

        def seek(self, *_):
            raise io.UnsupportedOperation

    records = [b"a", b"bc"] * 10
    for data in (frame(records), gzip.compress(frame(records))):
        assert [r for c in iter_chunks(Pipe(data), "s") for r in c] == records


@pytest.mark.parametrize("empty", [b"", gzip.compress(b"", mtime=0)])
def test_empty_shard_has_no_records(empty):
    assert read(empty) == []


def test_wrong_data_checksum_names_the_record():
    error = error_of(flip_bit(frame([b"abc"] * 9), 19 * 4 + 13))

    assert (error.source, error.number) == ("s", 4)
    assert str(error) == (
        "s: record 4 (counted from 0) has a wrong data checksum: its bytes are not the ones "
        "that were written. Fetch or write this shard again."
    )


def test_wrong_length_checksum_names_the_record():
    error = error_of(flip_bit(frame([b"abc"] * 9), 19 * 3))

    assert (error.number, error.reason) == (3, "has a wrong length checksum")


def test_records_before_the_damage_are_yielded():
    chunks = iter_chunks(io.BytesIO(flip_bit(frame([b"abc"] * 9), 19 * 4 + 13)), "s")

    assert list(next(chunks)) == [b"abc"] * 4
    with pytest.raises(RecordError):
        next(chunks)


@pytest.mark.slow
@pytest.mark.parametrize("chunk_bytes", [1000, tfrecord.CHUNK_BYTES])
@given(record=st.integers(0, 399), bit=st.integers(0, 8 * 179 - 1))
def test_any_flipped_bit_names_the_record(uniform_shard, chunk_bytes, record, bit):
    data = flip_bit(uniform_shard, 179 * record + bit // 8, bit % 8)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tfrecord, "CHUNK_BYTES", chunk_bytes)
        error = error_of(data)

    if record == 0 and bit < 8 * 12:
        assert error.reason.startswith("is not a TFRecord file")
    else:
        checksum = "length" if bit < 8 * 12 else "data"
        assert (error.number, checksum in error.reason) == (record, True)


def test_the_first_damage_is_named():
    error = error_of(flip_bit(flip_bit(frame([b"abc"] * 9), 19 * 3 + 13), 19 * 7))

    assert (error.number, error.reason[:27]) == (3, "has a wrong data checksum: ")


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 30)), max_size=20), st.integers(1, 9))
def test_runs_of_several_lengths_are_read(runs, run_frames):
    records = [bytes([i]) * length for i, (length, count) in enumerate(runs) for _ in range(count)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tfrecord, "_RUN_FRAMES", run_frames)
        assert read(frame(records)) == records


@pytest.mark.parametrize("cut", range(1, 19))
def test_truncated_shard_names_the_record(cut):
    error = error_of(frame([b"abc"] * 3)[:-cut])

    assert error.number == 2
    assert error.reason == f"is truncated: the file ends {19 - cut} bytes into it"


def test_truncated_or_corrupt_gzip_is_reported():
    data = gzip.compress(frame([bytes([i]) * 50 for i in range(200)]))

    for damaged in (data[:-20], flip_bit(data, len(data) // 2)):
        reason = error_of(damaged).reason
        assert reason.startswith("cannot be unpacked: the gzip data is truncated or corrupt")


@pytest.mark.parametrize("before", [0, 1])
def test_too_long_record_is_rejected_before_it_is_read(before):
    error = error_of(frame([b"ok"] * before + [bytes(tfrecord.MAX_RECORD_BYTES + 1)]))

    assert (error.number, error.reason[:23]) == (before, "is longer than 524288 b")
    assert error.remedy.startswith("Write one record per event")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"1.0,0.5,0.25\n0.0,1.5,2.5\n", "it looks like CSV."),
        (b"a,b\n", "it looks like CSV."),
        (b"just words here\n", "it looks like text."),
        (b"<!DOCTYPE html><html>", "it looks like an HTML or XML page. Fetch the file again:"),
        (b'{"a": [1, 2, 3, 4]}', "it looks like JSON. Save it as a table:"),
        (b"PAR1\x15\x04\x15\x10\x15\x14L\x15", "it looks like a Parquet file."),
        (b"PK\x03\x04 and so on and on", "it looks like a zip archive."),
        (bytes(range(5, 200)), "it looks like binary data of an unknown kind. If its start is"),
        (gzip.compress(b"1.0,0.5\n" * 9, mtime=0), "it looks like CSV inside gzip."),
        (
            gzip.compress(gzip.compress(frame([b"a"]), mtime=0), mtime=0),
            "it looks like a gzip file inside gzip.",
        ),
    ],
)
def test_other_kinds_of_files_are_named(content, kind):
    error = error_of(content)

    assert error.number is None
    assert str(error).startswith(f"s: is not a TFRecord file: {kind} ")
    assert " Expected a TFRecord shard" in str(error)
