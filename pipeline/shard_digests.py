"""Content key of the shards on this machine: their hashes, remembered between runs.

A hash is remembered with everything by which the system tells that a file was not touched. The
change time cannot be set by a program, unlike the modification time that copies preserve.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import ValidationError

from formats.artifact_manifest import FileDigest
from formats.atomic_files import write_text
from formats.content_key import content_key, hash_file
from formats.locations import is_remote
from formats.manifest_record import FileRecord, ManifestRecord
from formats.published.manifest import MANIFEST, find_manifest
from formats.published.shard_files import check_readable
from formats.unchanged_files import Stamp, unchanged
from pipeline.config import Config
from pipeline.local_data import find_data
from pipeline.remote_data import stored_content_key

MEMORY_FILE = "shard_digests.json"
"""File of the remembered hashes, in the folder of the metadata."""

SETTLED_SECONDS = 2.0
"""Age after which any later change gets a different time, on every file system."""


def local_content_key(config: Config) -> str:
    """Computes the content key of ``data_root``: of its shards and its manifest, if it has one.

    Args:
        config: a resolved configuration.

    Returns:
        The key; for data in an object store, ``ingestion.content_key`` or one of the times at
        which the objects were written.

    Raises:
        DataRefusedError: a shard cannot be read.
        ConfigError: an object store cannot be reached.
    """
    if is_remote(config.data_root):
        return config.ingestion.content_key or stored_content_key(
            config.data_root, config.ingestion.layout
        )
    root = Path(config.data_root)
    folders = find_data(root, config.ingestion.layout).shards
    shards = [path for paths in folders.values() for path in paths]
    digests = digest_shards(shards, Path(config.metadata_path).with_name(MEMORY_FILE))
    contents = {str(path.relative_to(root)): digests[path] for path in shards}
    if manifest := find_manifest(root):
        contents[MANIFEST] = hash_file(manifest)
    return content_key(contents)


def digest_shards(shards: list[Path], memory_file: Path) -> dict[Path, str]:
    """Computes the SHA-256 of each shard, or takes it from the memory if nothing changed.

    Args:
        shards: absolute paths.
        memory_file: a JSON file; one that is missing or damaged is written again.

    Raises:
        DataRefusedError: a shard cannot be read.
    """
    memory = _read_memory(memory_file)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        entries = pool.map(lambda path: _digest(path, memory.files.get(str(path))), shards)
        current = dict(zip(shards, entries, strict=True))
    now = time.time_ns()
    settled = {
        str(path): entry
        for path, entry in current.items()
        if now - entry.stamp.ctime_ns > SETTLED_SECONDS * 1e9
    }
    if settled != memory.files:
        write_text(memory_file, ManifestRecord(files=settled).model_dump_json())
    return {path: entry.digest.sha256 for path, entry in current.items()}


def _digest(path: Path, remembered: FileRecord | None) -> FileRecord:
    with unchanged(path):
        stamp = Stamp.of(check_readable(path))
        if remembered and remembered.stamp == stamp:
            return remembered
        return FileRecord(FileDigest(stamp.bytes, hash_file(path)), stamp)


def _read_memory(file: Path) -> ManifestRecord:
    try:
        return ManifestRecord.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return ManifestRecord(files={})
