import bz2
import gzip
import io
import lzma
import re
import tarfile
import tempfile
import zipfile
import zlib

import h5py
import numpy as np
import pytest
import zstandard
from event_makers import make_published_events, same_events, select
from table_makers import convert_all, to_frame, uci_csv

from pipeline.intake.input_members import open_members
from pipeline.intake.intake_error import IntakeError
from pipeline.intake.scored_rows import file_rows

EVENTS = make_published_events(60, seed=1)
CSV = uci_csv(EVENTS)
HALF = len(CSV) // 2


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(compression="", **members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compression}") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def with_announced_size(archive, size):
    """A tar archive whose first header announces another size."""
    entry = tarfile.TarInfo.frombuf(archive[:512], "utf-8", "strict")
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT) + archive[512:]


def linked(name):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = tarfile.SYMTYPE, "/data/x.csv"
        archive.addfile(entry)
    return buffer.getvalue()


def with_distant_entry(content):
    """A zip archive that says that its second file lies behind any file's end."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", content)
        archive.writestr("b.csv", content[:HALF])
        archive.infolist()[1].header_offset = 2**63
    return buffer.getvalue()


def with_newer(kind):
    """An archive to which a newer version of its file was added."""
    if kind == "zip":
        return zipped(**{"a.csv": CSV, "b.csv": CSV[:HALF]}).replace(b"b.csv", b"a.csv")
    first, second = tarred(**{"a.csv": CSV}), tarred(**{"a.csv": CSV[:HALF]})
    end_mark = 512 + -(-len(CSV) // 512) * 512
    return first[:end_mark] + second


def with_damaged_header(archive):
    """A tar archive whose second header has a wrong checksum; `tarfile` stops there silently."""
    position = archive.index(b"b.csv")
    return archive[:position] + b"c" + archive[position + 1 :]


def sparse(name, content):
    """A tar archive of a file with gaps, whose places are not numbers."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo(name)
        entry.pax_headers, entry.size = {"GNU.sparse.map": "0,x"}, len(content)
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def with_method(archive, method):
    """A zip archive that says that it was packed by another method."""
    local, central = archive.index(b"PK\x03\x04") + 8, archive.index(b"PK\x01\x02") + 10
    content = bytearray(archive)
    content[local], content[central] = method, method
    return bytes(content)


SKIPPED = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
COMPRESS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.compress,
    "zlib": zlib.compress,
}
READ = {
    "CSV": CSV,
    **{f"CSV in {name}": compress(CSV) for name, compress in COMPRESS.items()},
    "CSV in zip": zipped(**{"HIGGS.csv": CSV}),
    "CSV in tar": tarred(**{"a/HIGGS.csv": CSV}),
    "CSV in tar in gzip": tarred("gz", **{"HIGGS.csv": CSV}),
    "CSV in gzip in zip": zipped(**{"HIGGS.csv.gz": gzip.compress(CSV)}),
}
SAME = {
    "two members": COMPRESS["gzip"](CSV[:HALF]) + COMPRESS["gzip"](CSV[HALF:]),
    "two xz streams": COMPRESS["xz"](CSV[:HALF]) + COMPRESS["xz"](CSV[HALF:]),
    "two zstd frames": COMPRESS["zstd"](CSV[:HALF]) + COMPRESS["zstd"](CSV[HALF:]),
    "a zstd frame to be skipped": SKIPPED + COMPRESS["zstd"](CSV) + SKIPPED,
    "lzma": lzma.compress(CSV, format=lzma.FORMAT_ALONE),
    "an empty member": gzip.compress(CSV) + gzip.compress(b""),
    "zero padding": gzip.compress(CSV) + bytes(512),
    "parts": zipped(**{"a.csv": CSV[: CSV.index(b"\n") + 1], "b.csv": CSV[CSV.index(b"\n") + 1 :]}),
    "other files": zipped(
        **{"__MACOSX/._x.csv": b"\0\5\26\7", "README.txt": b"to read", "a/x.csv": CSV}
    ),
}


@pytest.fixture
def write(tmp_path):
    def write_bytes(content):
        path = tmp_path / "input"
        path.write_bytes(content)
        return path

    return write_bytes


@pytest.mark.parametrize("kind", READ)
def test_a_table_is_found_in_every_container(tmp_path, write, kind):
    events, conversion = convert_all([write(READ[kind])], tmp_path / "out")

    assert same_events(events, EVENTS)
    [source] = conversion.counts.sources
    assert source.kind == kind
    assert (source.bytes, source.events) == (len(READ[kind]), 60)


@pytest.mark.parametrize("kind", SAME)
def test_parts_and_padding_change_nothing(tmp_path, write, kind):
    events, _ = convert_all([write(SAME[kind])], tmp_path / "out")

    assert same_events(events, EVENTS)


@pytest.mark.parametrize("name", COMPRESS)
def test_truncated_data_are_refused(tmp_path, write, name):
    path = write(COMPRESS[name](CSV)[:-9])

    with pytest.raises(IntakeError, match=r"input: cannot be unpacked after (line \d+|0 events)"):
        convert_all([path], tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_the_last_complete_line_before_the_damage_is_named(tmp_path, write):
    compressed = gzip.compress(CSV, 0)  # Stored, so that the place of the damage is known.
    path = write(compressed[: len(compressed) // 2])

    with pytest.raises(IntakeError, match=r"after line (29|30): .*Fetch .* again; .* join them"):
        convert_all([path], tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (gzip.compress(CSV)[:-8] + bytes(8), "incorrect data check"),
        (READ["CSV in zip"][:-60], "is not a zip file"),
        (READ["CSV in tar"][:20_000], "cannot be unpacked"),
        (gzip.compress(CSV) + b"trailing", "incorrect header check"),
        (zipped(), "is a zip archive without data files"),
        (tarred(README=b"x"), "is a tar archive without data files"),
        (zipped(**{"[Content_Types].xml": b"<x/>"}), "is a workbook. Save the sheet as CSV"),
        (zipped(**{"model/data.pkl": b"x"}), "is a PyTorch file"),
        (
            zipped(**{"x/train.csv": CSV, "x/test.csv": CSV}),
            "holds a training and a validation set, such as x/train.csv, x/test.csv",
        ),
        (
            zipped(**{"train/a.csv": CSV, "val/a.csv": CSV}),
            "holds a training and a validation set, such as train/a.csv, val/a.csv",
        ),
        (
            tarred(**{"higgs_train.csv": CSV, "higgs_test.csv": CSV}),
            "holds a training and a validation set, such as higgs_train.csv, higgs_test.csv",
        ),
        (
            tarred(**{"train/a.csv": CSV, "x.csv": CSV[:HALF], "test/a.csv": CSV}),
            "holds a training and a validation set, such as train/a.csv, test/a.csv",
        ),
        (
            zipped(**{"a.csv": CSV, "b/a.csv": CSV}),
            ":b/a.csv and {}:a.csv have the same events",
        ),
        (
            tarred(**{"a.csv": CSV, "b.gz": gzip.compress(CSV)}),
            "have the same events, so each",
        ),
        (READ["CSV in tar"] * 2, "has data after the end of the tar archive"),
        (READ["CSV in tar"][: 512 + -(-len(CSV) // 512) * 512], "without its end mark"),
        (with_newer("tar"), "holds a.csv twice; programs that unpack it keep the last one"),
        (with_newer("zip"), "holds a.csv twice; programs that unpack it keep the last one"),
        (with_damaged_header(tarred(**{"a.csv": CSV, "b.csv": CSV[:HALF]})), "after the end of"),
        (READ["CSV in zip"] * 2, "has data after the end of the zip archive"),
        (
            with_method(READ["CSV in zip"], 9),
            "HIGGS.csv: is packed by a method that is not supported",
        ),
        (
            zipped(**{"HIGGS.csv": CSV}).replace(b"PK\1\2\x14\3\x14", b"PK\1\2\x14\3\x40"),
            "is packed by a method that is not supported (zip file version 6.4)",
        ),
        (zipped(**{"é.csv": CSV}).replace("é".encode(), b"\xff\xff"), "has a damaged archive"),
        (with_distant_entry(CSV), "b.csv: has a damaged archive header"),
        (with_announced_size(tarred(README=b"x"), 2**70), "unexpected end of data"),
        (sparse("a.csv", CSV), "has a damaged archive header"),
        (tarfile.TarInfo(".x").tobuf() + sparse("a.csv", CSV), "has a damaged archive header"),
        (linked("x.csv"), "holds x.csv, which is a link or a device"),
        (b"", "is empty"),
        (gzip.compress(b""), "is empty"),
    ],
    # The archives hold the time, which would differ between the processes of a test run.
    ids=lambda value: value if isinstance(value, str) else "archive",
)
def test_damaged_and_foreign_archives_are_named(tmp_path, write, content, sentence):
    path = write(content)
    with pytest.raises(IntakeError, match=f"input.*{re.escape(sentence.format(path))}"):
        convert_all([path], tmp_path / "out")


def test_the_members_of_a_tar_archive_are_compared_in_linear_time(monkeypatch):
    compared = []
    monkeypatch.setattr(
        "pipeline.intake.input_members.check_one_split", lambda _, names: compared.extend(names)
    )
    content = tarred(**{f"train/{index}.csv": b"1,2\n" for index in range(200)})
    assert len([*open_members("x", io.BytesIO(content))]) == 200
    assert len(compared) <= 400


def test_a_fault_names_the_member(tmp_path, write):
    path = write(zipped(**{"a.csv": CSV, "b.csv": CSV + b"1,2\n"}))

    with pytest.raises(IntakeError, match=r"input:b\.csv: line 61 has 2 columns, not 29"):
        convert_all([path], tmp_path / "out")


def test_formats_that_need_random_access_may_be_packed(tmp_path, write):
    from table_makers import to_frame, to_parquet

    packed = gzip.compress(to_parquet(to_frame(EVENTS)))

    events, conversion = convert_all([write(packed)], tmp_path / "out")

    assert same_events(events, select(EVENTS, slice(None)))
    assert conversion.counts.sources[0].kind == "Parquet in gzip"


def test_a_member_whose_name_is_not_utf8_has_escapes_in_outputs(write):
    path = write(tarred(**{"\udcff.csv": CSV}))
    rows = file_rows(str(path), (), "", False)

    [part] = rows.read(rows.digest(), lambda _: None)

    assert part.file == rf"{path}:\udcff.csv"
    assert (part.features == EVENTS.features).all()


@pytest.mark.parametrize("name", ["x.npz", "x.parquet.gz", "x.h5.xz"])
def test_nothing_is_left_of_what_a_killed_command_has_unpacked(tmp_path, monkeypatch, name):
    """Temporary files have no entry in the folder while they are used."""
    frame, packed = to_frame(EVENTS), {"gz": gzip.compress, "xz": lzma.compress}
    np.savez(tmp_path / "x.npz", X=EVENTS.features, y=EVENTS.labels)
    frame.to_parquet(tmp_path / "x.parquet")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["X"], file["y"] = EVENTS.features, EVENTS.labels
    if (ending := name.rpartition(".")[2]) in packed:
        plain = tmp_path / name.rpartition(".")[0]
        (tmp_path / name).write_bytes(packed[ending](plain.read_bytes()))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    rows = file_rows(str(tmp_path / name), (), "", False)

    for part in rows.read(rows.digest(), lambda _: None):
        assert list(temporary.iterdir()) == []
        assert (part.features == EVENTS.features).all()
