"""Kinds of files, recognized by their first bytes."""

import re
from typing import NamedTuple

_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")  # With and without data.
_COMPRESSIONS = {
    b"\x1f\x8b\x08": "gzip",
    **{b"BZh%d%s" % (i, block): "bzip2" for i in range(1, 10) for block in _BZIP2_BLOCKS},
    b"\xfd7zXZ\x00": "xz",
    b"\x5d\x00\x00": "xz",  # What `lzma` wrote before there was xz.
    b"\x28\xb5\x2f\xfd": "zstd",
    **{bytes([0x50 + i]) + b"\x2a\x4d\x18": "zstd" for i in range(16)},  # A frame to be skipped.
}
_TABLES = {
    b"PAR1": "Parquet",
    b"ARROW1": "Arrow",
    b"FEA1": "Arrow",
    b"\x93NUMPY": "NumPy array",
    b"\x89HDF\r\n\x1a\n": "HDF5",
    b"root": "ROOT",
}


class RefusedKind(NamedTuple):
    """A file format that is recognized but not supported.

    Attributes:
        name: its name with an article, such as ``an HTML page``.
        remedy: how to get a supported file.
    """

    name: str
    remedy: str


_RESAVE = "Save the table as Parquet or CSV in the program that wrote it"
_FETCH = "Fetch the file again: the address gave a page instead of the data"
_PICKLE = RefusedKind(
    "a Python pickle", 'Load it where you trust it and save it with `frame.to_parquet("x.parquet")`'
)
_STATA = RefusedKind("a Stata file", _RESAVE)
_R_DATA = RefusedKind("an R data file", 'Save it with `write.csv(x, "x.csv")`')
_MATLAB = RefusedKind("a MATLAB file", _RESAVE)
_UTF_16 = RefusedKind("text in UTF-16", "Convert it with `iconv -f UTF-16 -t UTF-8 FILE > NEW`")
_UTF_32 = RefusedKind("text in UTF-32", "Convert it with `iconv -f UTF-32 -t UTF-8 FILE > NEW`")

_REFUSED = {
    b"PARE": RefusedKind("an encrypted Parquet file", "Write it without encryption"),
    **{bytes([0x80, protocol]): _PICKLE for protocol in range(2, 6)},
    b"\xff\xfe\x00\x00": _UTF_32,
    b"\xff\xfe": _UTF_16,
    b"\xfe\xff": _UTF_16,
    b"ORC": RefusedKind("an ORC file", _RESAVE),
    b"Obj\x01": RefusedKind("an Avro file", _RESAVE),
    b"SQLite format 3\x00": RefusedKind("an SQLite database", "Export the table as CSV"),
    **dict.fromkeys((b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file"), _MATLAB),
    **{bytes([i, order, 1, 0]): _STATA for i in range(0x71, 0x74) for order in (1, 2)},
    **dict.fromkeys((b"RDX2\n", b"RDX3\n", b"X\n\x00\x00"), _R_DATA),
    **dict.fromkeys((b"$FL2@(#)", b"$FL3@(#)"), RefusedKind("an SPSS file", _RESAVE)),
    **dict.fromkeys((b"CDF\x01", b"CDF\x02"), RefusedKind("a netCDF file", _RESAVE)),
    b"\xd0\xcf\x11\xe0": RefusedKind("an Excel workbook", "Save the sheet as CSV"),
    b"7z\xbc\xaf\x27\x1c": RefusedKind("a 7z archive", "Unpack it with `7z x`"),
    b"Rar!\x1a\x07": RefusedKind("a RAR archive", "Unpack it with `unrar x`"),
    b"\x1f\x9d": RefusedKind("a compress (.Z) file", "Unpack it with `uncompress`"),
    b"\x04\x22\x4d\x18": RefusedKind("an LZ4 file", "Unpack it with `lz4 -d`"),
    b"\xff\x06\x00\x00sNaPpY": RefusedKind("a Snappy file", "Unpack it with `snzip -d`"),
    b"%PDF-": RefusedKind("a PDF document", _FETCH),
    b"\x89PNG": RefusedKind("a picture", "Name the file of the data"),
    b"SIMPLE  =%sT" % (b" " * 20): RefusedKind("a FITS file", _RESAVE),
    b"version https://git-lfs": RefusedKind(
        "a Git LFS pointer, not the data", "Get the data with `git lfs pull`"
    ),
}
_REFUSED_INSIDE = {
    b"DUCK": RefusedKind("a DuckDB database", "Export the table as Parquet"),
    b'{"': RefusedKind("a safetensors file", "Save the arrays with `numpy.savez(FILE, X=x, y=y)`"),
}
"""Kinds that are recognized by the bytes after the first 8."""

_TO_TABLE = (
    'Save it as a table: `pandas.read_json(FILE{}).to_parquet("x.parquet")`, or move it away if it '
    "only describes the data"
)
_REFUSED_TEXT = {
    rb"<stata_dta>": _STATA,
    rb"c[a-z_][\w.]*\n\w+\n(\(|p\d)|\([ld]p\d": _PICKLE,  # Of protocol 0, which is text.
    rb"<LesHouchesEvents": RefusedKind(
        "a list of generated particles (LHE)", "Give the table of the reconstructed events"
    ),
    rb"<(?![^<>\n]*>\s*[,;|\t])[!?a-zA-Z]": RefusedKind("an HTML or XML page", _FETCH),
    rb"\{.*\}\s*\n\s*\{": RefusedKind("JSON", _TO_TABLE.format(", lines=True")),
    rb"\{\s*[\"}]|\[\s*([\[\]{\"]|-?\d)": RefusedKind("JSON", _TO_TABLE.format("")),
}
"""Patterns of texts. A header such as ``<label>,<pt>`` or ``[label],[pt]`` is CSV."""

_UNKNOWN = RefusedKind(
    "binary data of an unknown kind",
    "Expected CSV, Parquet, Arrow, NumPy, HDF5, ROOT, libsvm, ARFF or TFRecord, as it is or in "
    "gzip, bzip2, xz, zstd, zip or tar. If it is one of these, it is damaged: fetch it again",
)
_LIBSVM = re.compile(rb"\s*[-+.\deE]+(\s+qid:\d+)?(\s+\d+:[-+.\deEnaifNAIF]+)+\s*(#.*)?$")
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_ARFF = re.compile(rb"\s*@relation\b", re.IGNORECASE)


def find_container(head: bytes) -> str | None:
    """Names the compression or archive that a file starts with; None if it is neither."""
    for magic, name in _COMPRESSIONS.items():
        if head.startswith(magic):
            return name
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head[257:262] == b"ustar" or _is_old_tar(head):
        return "tar"
    is_zlib = head[:1] == b"\x78" and int.from_bytes(head[:2], "big") % 31 == 0
    return "zlib" if is_zlib and not _is_text(head) else None


def _is_old_tar(head: bytes) -> bool:
    """Returns whether the first block has the checksum of a tar header without the mark of 1988.

    The checksum is the sum of the bytes, with its own field taken as blanks.
    """
    checksum = re.match(rb" *([0-7]{4,7})[\0 ]", head[148:156])
    if not checksum or len(head) < 512:
        return False
    return int(checksum[1], 8) == sum(head[:148]) + 8 * ord(" ") + sum(head[156:512])


def find_format(head: bytes) -> str | RefusedKind:
    """Names the format of uncompressed data by its first bytes.

    Returns:
        ``Parquet``, ``Arrow``, ``NumPy array``, ``HDF5``, ``ROOT``, ``libsvm``, ``ARFF``, ``CSV``
        for any other text or, for unsupported files, the kind and the remedy.

    >>> find_format(b"PAR1"), find_format(b"1 1:0.5 2:1.5\\n"), find_format(b"1,0.5\\n")
    ('Parquet', 'libsvm', 'CSV')
    """
    if head.startswith(b"\xff\xff\xff\xff"):
        return "Arrow"
    for magic, kind in (_TABLES | _REFUSED).items():
        if head.startswith(magic) and not _is_word(magic, head):
            return kind
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if _is_text(head):
        refused = (kind for pattern, kind in _REFUSED_TEXT.items() if re.match(pattern, text))
    else:
        refused = (kind for mark, kind in _REFUSED_INSIDE.items() if head.startswith(mark, 8))
    return next(refused, None) or _text_format(head, text)


def describe(head: bytes) -> str:
    """Names the kind of a file from its first bytes, with an article.

    >>> describe(b"PAR1"), describe(b"1.0,2.0"), describe(b"BZh91AY&SY"), describe(b"not a table")
    ('a Parquet file', 'CSV', 'a bzip2 file', 'text')
    """
    if container := find_container(head):
        article = "an" if container == "xz" else "a"
        return f"{article} {container} {'archive' if container in ('zip', 'tar') else 'file'}"
    kind = find_format(head)
    if isinstance(kind, RefusedKind):
        return kind.name
    if kind == "CSV":
        commas = [line.count(b",") for line in head.splitlines()[:2]]
        return "CSV" if commas and min(commas) > 0 and len(set(commas)) == 1 else "text"
    return f"{'an' if kind[0] in 'AH' else 'a'} {kind} file"


def remedy(head: bytes) -> str:
    """Returns the remedy for a file of unsupported or unknown format; empty for other formats.

    >>> remedy(b"ORC\x01"), remedy(b"PAR1"), remedy(bytes(99))
    ('Save the table as Parquet or CSV in the program that wrote it', '', \
'If its start is damaged, fetch or write it again')
    """
    kind = None if find_container(head) else find_format(head)
    if kind is _UNKNOWN:
        return "If its start is damaged, fetch or write it again"
    return kind.remedy if isinstance(kind, RefusedKind) else ""


def _text_format(head: bytes, text: bytes) -> str | RefusedKind:
    if not _is_text(head):
        # Every second byte is zero, the first or the second of each pair.
        is_wide = {head[0:64:2].count(b"\0"), head[1:64:2].count(b"\0")} == {0, len(head[1:64:2])}
        return _UTF_16 if is_wide else _UNKNOWN
    lines = [line for line in text.splitlines() if line.strip()]
    if _LIBSVM.match(next((line for line in lines if not line.startswith(b"#")), b"")):
        return "libsvm"
    first = next((line for line in lines if not line.startswith(b"%")), b"")
    return "ARFF" if _ARFF.match(first) else "CSV"


def _is_word(magic: bytes, head: bytes) -> bool:
    """Returns whether a file only looks binary: a text may begin with a column named ``PAR1``."""
    behind = head[len(magic) : len(magic) + 32]
    return magic.isalnum() and behind != b"" and not _CONTROLS.search(behind)


def _is_text(head: bytes) -> bool:
    """Returns whether at most two in a hundred bytes are control characters."""
    controls = _CONTROLS.findall(head[:4096])
    return len(controls) * 50 <= len(head[:4096])
