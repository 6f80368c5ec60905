import pickle
import tarfile

import numpy as np
import pytest

from formats.file_kinds import RefusedKind, describe, find_container, find_format

REFUSED = {
    pickle.dumps({"x": 1}): "a Python pickle",
    "1,2,3\n".encode("utf-16"): "text in UTF-16",
    "1,2,3\n".encode("utf-32"): "text in UTF-32",
    "1,2,3\n4,5,6\n".encode("utf-16-le"): "text in UTF-16",
    "1,2,3\n4,5,6\n".encode("utf-16-be"): "text in UTF-16",
    bytes(99): "binary data of an unknown kind",
    b"  \n<!DOCTYPE html><html>": "an HTML or XML page",
    b'{"label": 1}\n{"label": 0}\n': "JSON",
    b"[1, 2]": "JSON",
    b"ORC": "an ORC file",
    b"SQLite format 3\x00": "an SQLite database",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"%PDF-1.4": "a PDF document",
    b"version https://git-lfs.github.com/spec/v1\n": "a Git LFS pointer, not the data",
    b"MATLAB 7.3 MAT-file, Platform: GLNXA64": "a MATLAB file",
    b"$FL2@(#) SPSS DATA FILE" + bytes(99): "an SPSS file",
    b"CDF\x01" + bytes(99): "a netCDF file",
    b"<stata_dta><header><release>118</release>": "a Stata file",
    b"\x72\x02\x01\x00" + bytes(99): "a Stata file",
    pickle.dumps(np.zeros(3), 0): "a Python pickle",
    pickle.dumps([0.5], 0): "a Python pickle",
    b"<LesHouchesEvents version='3.0'>": "a list of generated particles (LHE)",
    b'\x80\0\0\0\0\0\0\0{"X":{"dtype":"F32"}}' + bytes(99): "a safetensors file",
    bytes(8) + b"DUCK" + bytes(99): "a DuckDB database",
    b"{" + bytes(99): "binary data of an unknown kind",
    bytes(range(256)): "binary data of an unknown kind",
}


@pytest.mark.parametrize("head", REFUSED, ids=REFUSED.values())
def test_kinds_that_are_not_read_have_a_name_and_a_remedy(head):
    kind = find_format(head)

    assert isinstance(kind, RefusedKind)
    assert kind.name == REFUSED[head]
    assert len(kind.remedy) > 15


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"PAR1\x15\x04", "Parquet"),
        (b"ARROW1\0\0", "Arrow"),
        (b"\xff\xff\xff\xff\x10\0\0\0", "Arrow"),
        (b"\x93NUMPY\x01\x00", "NumPy array"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"root\0\0", "ROOT"),
        (b"% a comment\n@RELATION higgs\n", "ARFF"),
        (b"1.0 1:0.5 2:-1e-3\n", "libsvm"),
        (b"1 0.5 1.5\n", "CSV"),
        (b"root:x:0:0\n", "CSV"),
        (b"PAR1\x15\x04\x15\x80" + b"a long text of a column, " * 200, "Parquet"),
        (b"ARROW1\0\0\xff\xff\xff\xff" + b"a long text of a column, " * 200, "Arrow"),
        (b"root\0\0\xf7\x80" + b"a long text of a branch, " * 200, "ROOT"),
        (b"PAR1,PAR2\n0.5,1.5\n", "CSV"),
        (b"qr,signal\n0.5,1\n", "CSV"),
        (b"class\nsignal\nbackground\n", "CSV"),
        (b"ORC id;label\n", "CSV"),
        (b"time 12:30\n", "CSV"),
        (b"$FL2,label\n0.5,1\n", "CSV"),
        (b"%PDF,label\n0.5,1\n", "CSV"),
        (b"Rar!,label\n0.5,1\n", "CSV"),
        (b"SIMPLE  = a;label\n0.5;1\n", "CSV"),
        (b"MATLAB 5.0,label\n0.5,1\n", "CSV"),
        (b"<label>,<lepton_pt>\n0.5,1\n", "CSV"),
        (b"[label],[lepton_pt]\n0.5,1\n", "CSV"),
        (b"{label},{lepton_pt}\n0.5,1\n", "CSV"),
        (b"", "CSV"),
        (b"1,0.5\n2,\x001\n" + b"1,0.5\n" * 20, "CSV"),
    ],
)
def test_formats_are_recognized_by_their_first_bytes(head, kind):
    assert find_format(head) == kind


def test_the_remedy_for_json_depends_on_its_lines():
    assert "lines=True" in find_format(b'{"a": 1, "b": {}}\n{"a": 2}\n').remedy
    for text in (b'{"a": {"0": 1}}', b'{\n"a": [1]\n}\n', b'[{"a": 1},\n{"a": 2}]'):
        assert "read_json(FILE)." in find_format(text).remedy


def test_tar_archives_of_1979_are_recognized_by_their_checksum():
    header = tarfile.TarInfo("x.csv").tobuf(tarfile.USTAR_FORMAT)
    old = header[:148] + b" " * 8 + header[156:257] + bytes(8) + header[265:]
    old = old[:148] + b"%06o\0 " % sum(old) + old[156:]

    assert find_container(old) == "tar"
    assert find_container(old[:100] + b"x" + old[101:]) is None


def test_text_that_starts_like_a_zlib_stream_is_not_one():
    assert find_container(b"x\x9c\x03") == "zlib"
    assert find_container(b"x^2,y\n") is None
    assert find_container(b"BZh9,y\n") is None


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x1f\x8b\x08\0", "a gzip file"),
        (b"\xfd7zXZ\0", "an xz file"),
        (b"PK\x03\x04", "a zip archive"),
        (b"ARROW1", "an Arrow file"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"root", "a ROOT file"),
        (b"1 1:0.5\n", "a libsvm file"),
        (b"@relation x\n", "an ARFF file"),
        (b"\x80\x04\x95", "a Python pickle"),
        (b"a,b\n1,2\n", "CSV"),
        (b"a,b\n1\n", "text"),
    ],
)
def test_kinds_have_names_for_messages(head, kind):
    assert describe(head) == kind
