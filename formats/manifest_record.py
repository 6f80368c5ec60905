"""Manifest records: the manifest of a local folder, with a stamp per file that makes checks cheap.

The stamp is the file system's metadata of a file. While the stamp is unchanged, so is the content;
when it differs, as after ``cp -a`` or ``mv``, the content is compared.
"""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from formats.artifact_manifest import FileDigest, digest_file, find_differences, list_files
from formats.unchanged_files import Stamp


class FileRecord(NamedTuple):
    """One file: its digest, and its stamp when it had that content."""

    digest: FileDigest
    stamp: Stamp


class ManifestRecord(BaseModel):
    """The files of a folder by their relative paths."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: dict[str, FileRecord]

    @classmethod
    def take(cls, folder: str) -> "ManifestRecord":
        """Reads every file below a local folder.

        Raises:
            OSError: a file cannot be read, or is not a regular file.
        """
        return cls(files={path: _read(Path(folder, path)) for path in sorted(list_files(folder))})

    @property
    def manifest(self) -> dict[str, FileDigest]:
        """The digests of all files."""
        return {path: file.digest for path, file in self.files.items()}

    def check(self, folder: str, *, others_allowed: bool) -> tuple[list[str], "ManifestRecord"]:
        """Compares a folder with the record; reads only the files whose stamps differ.

        Args:
            folder: the folder, which may have been moved since the record was taken.
            others_allowed: whether it may hold files that the record does not list.

        Returns:
            One clause per difference, and the record with the stamps of the files as they are now.
        """
        stamps: dict[str, Stamp] = {}

        def has_stamp(path: str) -> bool:
            with suppress(OSError):  # it is looked at again, and named
                stamps[path] = Stamp.of(Path(folder, path).lstat())
            return stamps.get(path) == self.files[path].stamp

        problems = find_differences(
            folder, self.manifest, others_allowed=others_allowed, is_trusted=has_stamp
        )
        sound = {path: stamp for path, stamp in stamps.items() if path not in problems}
        files = {
            path: file._replace(stamp=sound.get(path, file.stamp))
            for path, file in self.files.items()
        }
        return [*problems.values()], ManifestRecord(files=files)


def _read(file: Path) -> FileRecord:
    # Before the content, so that a change during the read leaves a stamp that differs.
    stamp = Stamp.of(file.lstat())
    return FileRecord(digest_file(str(file)), stamp)
