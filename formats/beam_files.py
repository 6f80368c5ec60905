"""Files that Beam's workers read, on a disk or in an object store."""

from typing import Any

from apache_beam.io.filesystem import CompressionTypes, FileMetadata
from apache_beam.io.filesystems import FileSystems


def open_file(path: str) -> Any:
    """Opens a file for reading its bytes as they are; Beam would unpack some by their names.

    Raises:
        OSError: it cannot be opened.
    """
    return FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)


def find_files(pattern: str) -> list[FileMetadata]:
    """Finds the files that match a pattern, sorted by path."""
    [matched] = FileSystems.match([pattern])
    return sorted(matched.metadata_list, key=lambda file: file.path)
