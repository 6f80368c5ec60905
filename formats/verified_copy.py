"""Copies of models that are compared with the original, and files that are synced to disk."""

import functools
from collections.abc import Iterable
from pathlib import Path

from tfx.dsl.io import fileio

from formats.artifact_manifest import CHUNK_BYTES, Manifest, open_file, summarize, verify
from formats.atomic_files import naming, sync, write_text
from formats.locations import is_remote
from formats.names import SAVED_MODEL_FILE


class DamagedCopyError(OSError):
    """The files that were written differ from the model's."""


def copy_files(model: str, folder: str, manifest: Manifest) -> None:
    """Copies the files of a model to a folder, the SavedModel's own file last."""
    for path in sorted(manifest, key=lambda path: (path == SAVED_MODEL_FILE, path)):
        with open_file(f"{model}/{path}") as source:
            read_chunk = functools.partial(source.read, CHUNK_BYTES)
            write_file(f"{folder}/{path}", iter(read_chunk, b""))


def check_copy(folder: str, manifest: Manifest) -> None:
    """Compares every file of a folder with a manifest, by content.

    Raises:
        DamagedCopyError: they differ.
    """
    if problems := verify(folder, manifest):
        raise DamagedCopyError(
            f"the copy in {folder} differs from the model: {summarize(problems)}; check the disk, "
            "then run again"
        )


def write_file(path: str, chunks: Iterable[bytes]) -> None:
    """Writes a file and its folders; on a local disk, syncs the content before it returns."""
    if is_remote(path):
        with fileio.open(path, "wb") as remote:
            for chunk in chunks:
                remote.write(chunk)
        return
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    with naming(file):
        with file.open("wb") as local:
            for chunk in chunks:
                local.write(chunk)
        sync(file)


def write_complete(path: str, text: str) -> None:
    """Writes a text file that appears complete or not at all, on a disk or in an object store."""
    if is_remote(path):
        write_file(path, [text.encode()])
    else:
        write_text(Path(path), text)
