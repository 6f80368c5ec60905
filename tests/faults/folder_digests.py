"""Digests of the files of a folder."""

import hashlib
import json
from pathlib import Path

MANIFEST = "manifest.json"


def file_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below a folder, by relative path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def dataset_digests(folder: Path) -> dict[str, str]:
    """The same of a data set, whose manifest holds the time at which it was made."""
    digests = file_digests(folder)
    if MANIFEST in digests:
        manifest = json.loads((folder / MANIFEST).read_text())
        digests[MANIFEST] = json.dumps({**manifest, "created": None}, sort_keys=True)
    return digests
