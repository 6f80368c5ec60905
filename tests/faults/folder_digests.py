"""Digests of the files of a folder."""

import hashlib
from pathlib import Path


def file_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below a folder, by relative path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
