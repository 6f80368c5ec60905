"""``manifest.json``: content and origin of a data set in the published layout.

`higgs convert` and `higgs generate` write it beside ``training/`` and ``validation/``. It appears
when the data set is complete and is removed before any of its shards is replaced.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from formats.atomic_files import write_text
from formats.content_key import hash_file
from formats.errors import UserError
from formats.published.shards import MANIFEST

GENERATED = "generated"
"""Kind of a source that is not a file: toy events, whose shards may be changed or removed."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ShardEntry(_Entry):
    """One shard.

    Attributes:
        path: relative to the folder of the manifest, with slashes: ``training/NAME.tfrecord``.
        bytes: size of the file.
        events: number of records.
        sha256: of the file's content, hexadecimal.
    """

    path: str
    bytes: int
    events: int
    sha256: str


class SourceEntry(_Entry):
    """One input.

    Attributes:
        name: the input as it was named, with the member of an archive after a colon.
        kind: its container and format, such as ``CSV in gzip``.
        bytes: size of the file; None if unknown, as for standard input.
        sha256: of the file as it was read, hexadecimal; None if it was not computed.
        events: number of events read from it.
    """

    name: str
    kind: str
    bytes: int | None = None
    sha256: str | None = None
    events: int


class Manifest(_Entry):
    """Content of a data set.

    Attributes:
        format_version: of this file; 1.
        created: time of completion, ISO 8601 in UTC.
        sources: the inputs, in order.
        options: options that affected the events, as text, such as ``{"units": "gev"}``.
        read: number of events read.
        written: number of events written; the sum over the shards.
        dropped: number of events dropped, by reason.
        changed: number of events with changed values, by reason, such as snapped b-tags.
        columns: additional keys of each record, besides ``features`` and ``label``.
        shards: all shards, ordered by path.
    """

    format_version: int = 1
    created: str
    sources: tuple[SourceEntry, ...]
    options: Mapping[str, str] = {}
    read: int
    written: int
    dropped: Mapping[str, int] = {}
    changed: Mapping[str, int] = {}
    columns: tuple[str, ...] = ()
    shards: tuple[ShardEntry, ...]


class ManifestError(UserError, ValueError):
    """A manifest that cannot be read, or that does not describe the shards beside it."""

    exit_code = 4


def now() -> str:
    """Returns the time for `Manifest.created`."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest of a folder."""
    write_text(folder / MANIFEST, manifest.model_dump_json(indent=1) + "\n")


def find_manifest(folder: Path) -> Path | None:
    """Returns the path of the manifest of a data set or of one of its splits, if there is one."""
    candidates = (folder / MANIFEST, folder.absolute().parent / MANIFEST)
    return next((path for path in candidates if path.is_file()), None)


def read_manifest(path: Path) -> Manifest:
    """Reads a manifest.

    Raises:
        ManifestError: the file has another form.
    """
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ManifestError(
            f"{path}: {place}: {first['msg']}. Expected a manifest that `higgs convert` wrote; "
            "convert again, or delete this file."
        ) from error


def find_differences(path: Path, manifest: Manifest, *, with_hashes: bool) -> Iterator[str]:
    """Compares the shards beside a manifest with it.

    Args:
        path: the manifest's path.
        manifest: its content.
        with_hashes: read the shards and compare their hashes; otherwise only their sizes.

    Yields:
        One predicate per shard that differs, such as ``training/a.tfrecord is missing``.
    """
    for shard in manifest.shards:
        file = path.parent / shard.path
        if not file.is_file():
            yield f"{shard.path} is missing"
        elif (size := file.stat().st_size) != shard.bytes:
            yield f"{shard.path} has {size} bytes, not {shard.bytes}"
        elif with_hashes and (digest := hash_file(file)) != shard.sha256:
            yield f"{shard.path} has the SHA-256 {digest[:12]}..., not {shard.sha256[:12]}..."
