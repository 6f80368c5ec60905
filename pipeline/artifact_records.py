"""Manifest records of the artifacts and pushed versions of a root on this machine.

They are in ``ROOT/manifests``, at the paths that the folders have below the root, so they stay
valid when the root is moved. The digest of a manifest is also a property of the artifact in ML
Metadata: a lost record is made again and compared with it.
"""

import hashlib
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from formats.artifact_manifest import manifest_digest, open_file
from formats.atomic_files import write_text
from formats.manifest_record import ManifestRecord

FOLDER = "manifests"


class ArtifactRecords:
    """Writes the record of a folder, and compares the folder with it."""

    def __init__(self, root: str | Path):
        """Uses the records of a root, an absolute path."""
        self._root = Path(root)

    def take(self, folder: str) -> str:
        """Records the files of a folder.

        Returns:
            The digest of the manifest.

        Raises:
            OSError: a file cannot be read, or is not a regular file.
        """
        record = ManifestRecord.take(folder)
        self._write(folder, record)
        return manifest_digest(record.manifest)

    def find_problems(self, folder: str, digest: str, *, others_allowed: bool = False) -> list[str]:
        """Compares a folder with its record.

        Args:
            folder: the folder of an artifact, or a pushed version.
            digest: that of its manifest.
            others_allowed: whether the folder may hold files that the record does not list.

        Returns:
            One clause per file that is missing, changed or new; empty if there is none.
        """
        record = self.read(folder)
        if record is None or manifest_digest(record.manifest) != digest:
            return self._compare_digests(folder, digest)
        problems, checked = record.check(folder, others_allowed=others_allowed)
        if checked != record:
            # New stamps only save time: a full disk does not change what was found.
            with suppress(OSError):
                self._write(folder, checked)
        return problems

    def read(self, folder: str) -> ManifestRecord | None:
        """Reads the record of a folder; None if there is none, or it is damaged."""
        try:
            with open_file(str(self._file(folder))) as file:
                return ManifestRecord.model_validate_json(file.read())
        except (OSError, ValidationError):
            return None

    def _compare_digests(self, folder: str, digest: str) -> list[str]:
        try:
            record = ManifestRecord.take(folder)
        except OSError as error:
            return [f"a file cannot be read ({error.strerror or error})"]
        if manifest_digest(record.manifest) != digest:
            return [
                "its files do not match their digest in ML Metadata; the manifest is lost, so "
                "the changed ones cannot be named"
            ]
        with suppress(OSError):
            self._write(folder, record)
        return []

    def _write(self, folder: str, record: ManifestRecord) -> None:
        write_text(self._file(folder), record.model_dump_json())

    def _file(self, folder: str) -> Path:
        path = Path(folder)
        if path.is_relative_to(self._root):
            return self._root / FOLDER / f"{path.relative_to(self._root)}.json"
        name = hashlib.sha256(str(path).encode()).hexdigest()[:16]
        return self._root / FOLDER / "elsewhere" / f"{name}.json"
