"""Members: the data inside files, compressed streams and archives, nested in any way."""

import io
import tarfile
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO

from formats.atomic_files import naming
from formats.file_kinds import RefusedKind, find_container, find_format
from formats.published.shards import DESCRIPTIONS
from formats.published.tfrecord import checked_length
from pipeline.intake.byte_streams import DECODERS, decompress, look_ahead
from pipeline.intake.intake_error import IntakeError, JoinedFilesError, encodable, enumerate_names
from pipeline.local_data import names_of_splits, split_words

_MAX_DEPTH = 5
_HEADER_BYTES = 12  # Of the frame of a TFRecord.
_DOCUMENTS = (
    *(".md", ".rst", ".pdf", ".sha256", ".md5", "sums", ".crc", ".log", ".py", ".ipynb"),
    *(".index", ".names", ".yaml", ".yml"),
)
_DOCUMENT_STARTS = ("readme", "license", "citation", "thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Member:
    """Uncompressed data with a known format.

    Attributes:
        name: the file, with the members of archives after colons.
        kind: its format, or ``NumPy archive``; see `find_format`.
        containers: names of what it is packed in, the innermost first.
        head: its first bytes.
        stream: all of its bytes, to be read once.
        path: the file on disk, if it is not packed.
    """

    name: str
    kind: str
    containers: tuple[str, ...]
    head: bytes
    stream: BinaryIO
    path: Path | None

    @property
    def description(self) -> str:
        """Its kind with what it is packed in, such as ``CSV in gzip in zip``."""
        return " in ".join((self.kind, *self.containers))

    @contextmanager
    def local_file(self) -> Iterator[Path]:
        """Yields a file on disk with the member's bytes, for formats that need random access."""
        if self.path is not None:
            yield self.path
            return
        with unpacked(self.stream) as path:
            yield path


@contextmanager
def unpacked(stream: IO[bytes]) -> Iterator[Path]:
    """Yields a temporary file with the bytes of a stream, without an entry in any folder.

    The system frees its space even if the process is killed. A memory map outlives the block.
    """
    with tempfile.TemporaryFile() as file:
        while block := stream.read(1 << 20):
            with naming(tempfile.gettempdir()):
                file.write(block)
                file.flush()
        yield Path(f"/proc/self/fd/{file.fileno()}")


def open_members(
    name: str, stream: Any, path: Path | None = None, containers: tuple[str, ...] = ()
) -> Iterator[Member]:
    """Unpacks a file; each member must be used before the next is requested.

    Args:
        name: of the file, for messages.
        stream: its bytes.
        path: the file, if it is one on disk that can be opened again.
        containers: names of what the file itself is packed in, the innermost first.

    Raises:
        IntakeError: it is empty, of a kind that is not read, or an archive without data.
    """
    if len(containers) > _MAX_DEPTH:
        raise IntakeError(
            f"{name}: is packed more than {_MAX_DEPTH} times. Unpack it and name the data."
        )
    head, stream = look_ahead(stream)
    container = find_container(head)
    if container in DECODERS:
        inner = decompress(stream, container)
        yield from open_members(name, inner, None, (container, *containers))
    elif container == "tar":
        yield from _untar(name, stream, (container, *containers))
    elif container == "zip":
        yield from _unzip(name, stream, path, containers)
    else:
        yield Member(name, _known_format(name, head, containers), containers, head, stream, path)


def _known_format(name: str, head: bytes, containers: tuple[str, ...]) -> str:
    if len(head) >= _HEADER_BYTES and checked_length(head[:_HEADER_BYTES]) >= 0:
        return "TFRecord"
    kind = find_format(head)
    if not isinstance(kind, RefusedKind):
        return kind
    packed = "".join(f" in {container}" for container in containers)
    raise IntakeError(f"{name}: is {kind.name}{packed}. {kind.remedy}.")


def _untar(name: str, stream: BinaryIO, containers: tuple[str, ...]) -> Iterator[Member]:
    found, of_a_split = set[str](), list[str]()
    with _faults_described(name):
        whole = tarfile.open(fileobj=stream, mode="r|")  # noqa: SIM115 (closed below)
    with whole as archive:
        for entry in _entries(name, archive):
            if entry.isdir() or not is_visible(entry.name) or is_document(entry.name):
                continue
            if not entry.isfile():
                raise IntakeError(
                    f"{name}: holds {entry.name}, which is a link or a device. Unpack the archive, "
                    "and name the files."
                )
            if entry.name in found:
                raise _contains_twice(name, entry.name)
            found.add(entry.name)
            # One name suffices: all before it are of its split, or of none.
            of_a_split = of_a_split or [entry.name] * bool(split_words(entry.name))
            check_one_split(name, [*of_a_split, entry.name])
            content = archive.extractfile(entry)
            assert content is not None  # A regular file has content.
            inner = encodable(f"{name}:{entry.name}")
            yield from open_members(inner, content, None, containers)
        _check_end_of_tar(name, archive)
    if not found:
        raise IntakeError(
            f"{name}: is a tar archive without data files. Name the file of the data."
        )


def _entries(name: str, archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while True:
        with _faults_described(name):
            entry = archive.next()
        if entry is None:
            return
        yield entry
        _skip_content(archive)


def _skip_content(archive: tarfile.TarFile) -> None:
    """Reads up to the next header.

    If the archive ends before that, `tarfile` would go on for as long as the announced size takes.

    Raises:
        tarfile.ReadError: the archive ends before.
    """
    stream: Any = archive.fileobj
    while (rest := archive.offset - stream.tell()) > 0:
        if not stream.read(min(rest, 1 << 20)):
            raise tarfile.ReadError("unexpected end of data")


def _check_end_of_tar(name: str, archive: tarfile.TarFile) -> None:
    """Refuses an archive that is truncated or joined, which `tarfile` accepts as complete."""
    stream: Any = archive.fileobj
    if stream.tell() < archive.offset + tarfile.BLOCKSIZE:
        raise IntakeError(
            f"{name}: is a tar archive without its end mark: it is truncated, and files may be "
            "missing. Fetch it again, or unpack it and name the files."
        )
    while block := stream.read(1 << 20):
        if block.strip(b"\0"):
            raise JoinedFilesError(name, "tar archive")


def _unzip(
    name: str, stream: Any, path: Path | None, containers: tuple[str, ...]
) -> Iterator[Member]:
    head = stream.peek(1) if isinstance(stream, io.BufferedReader) else b""
    whole = Member(name, "NumPy archive", containers, head, stream, path)
    with whole.local_file() as file, _open_zip(name, file) as archive:
        if min((entry.header_offset for entry in archive.infolist()), default=0) > 0:
            raise JoinedFilesError(name, "zip archive")
        entries = [
            e
            for e in archive.infolist()
            if e.filename
            and not e.is_dir()
            and is_visible(e.filename)
            and not is_document(e.filename)
        ]
        _check_archive(name, entries)
        names = [entry.filename for entry in entries]
        if twice := [member for member, count in Counter(names).items() if count > 1]:
            raise _contains_twice(name, twice[0])
        if all(member.endswith(".npy") for member in names):
            yield Member(name, "NumPy archive", containers, head, stream, file)
            return
        check_one_split(name, names)
        for entry in entries:
            inner = encodable(f"{name}:{entry.filename}")
            with open_entry(inner, archive, entry.filename) as content:
                yield from open_members(inner, content, None, ("zip", *containers))


def _open_zip(name: str, path: Path) -> zipfile.ZipFile:
    with _faults_described(name):
        return zipfile.ZipFile(path)


def open_entry(name: str, archive: zipfile.ZipFile, entry: str) -> IO[bytes]:
    """Opens a file of a zip archive, which has that name in messages.

    Raises:
        IntakeError: it is damaged, or compressed by a method that this Python lacks.
    """
    with _faults_described(name):
        return archive.open(entry)


@contextmanager
def _faults_described(name: str) -> Iterator[None]:
    """Describes built-in errors that ``zipfile`` and ``tarfile`` raise besides their own.

    Raises:
        IntakeError: the archive is damaged, or needs a later program.
    """
    try:
        yield
    except NotImplementedError as error:
        raise IntakeError(
            f"{name}: is packed by a method that is not supported ({error}). Unpack the archive "
            "with another program, and name the files."
        ) from error
    except ValueError as error:  # From names and numbers in headers.
        raise IntakeError(
            f"{name}: has a damaged archive header ({error}). Fetch it again, or unpack it "
            "with another program, and name the files."
        ) from error


def _check_archive(name: str, entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    if not names:
        raise IntakeError(
            f"{name}: is a zip archive without data files. Name the file of the data."
        )
    if {"[Content_Types].xml", "content.xml"} & {*names}:  # Of Excel and LibreOffice.
        raise IntakeError(f"{name}: is a workbook. Save the sheet as CSV.")
    if any(entry.endswith("data.pkl") for entry in names):
        raise IntakeError(
            f"{name}: is a PyTorch file. Save the arrays with `numpy.savez(FILE, X=x, y=y)`."
        )
    locked = [entry.filename for entry in entries if entry.flag_bits & 1]
    if locked:
        raise IntakeError(
            f"{name}: is protected by a password ({enumerate_names(locked)}). Unpack it first."
        )


def _contains_twice(name: str, member: str) -> IntakeError:
    return IntakeError(
        f"{name}: holds {member} twice; programs that unpack it keep the last one. Unpack it, and "
        "name the files."
    )


def check_one_split(name: str, names: Sequence[str]) -> None:
    """Refuses an archive or a folder whose names mean two splits, which would be joined.

    Raises:
        IntakeError: they do.
    """
    if all(found := names_of_splits(names)):
        shown = enumerate_names([first for first, *_ in found])
        raise IntakeError(
            f"{name}: holds a training and a validation set, such as {shown}. Unpack it if it is "
            "packed, and name the folder that holds both, so that they stay apart."
        )


def is_document(name: str) -> bool:
    """Returns whether a file beside data is a document or a list of checksums, by its name.

    >>> [is_document(n) for n in ("higgs/README.txt", "SHA256SUMS", "state.json", "HIGGS.csv")]
    [True, True, True, False]
    """
    last = PurePosixPath(name).name.lower()
    is_document = last.endswith(_DOCUMENTS) or last.startswith(_DOCUMENT_STARTS)
    return is_document or last in DESCRIPTIONS


def is_visible(name: str) -> bool:
    """Returns whether a file is neither hidden nor a marker of a tool.

    >>> is_visible("a/HIGGS.csv"), is_visible("__MACOSX/x.csv"), is_visible("x/_SUCCESS")
    (True, False, False)
    """
    return not any(
        part.startswith((".", "_")) for part in PurePosixPath(name).parts if part != ".."
    )
