"""Comparison of the ingested shards with the content key and with the manifest of the data set."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from pydantic import ValidationError
from tfx.dsl.io import fileio

from formats.content_key import PREFIX, content_key
from formats.errors import DataRefusedError
from formats.ingested_shards import IngestedShard
from formats.published.manifest import GENERATED, MANIFEST, Manifest
from formats.text import first_names


class _ManifestFile(NamedTuple):
    path: str
    content: bytes
    prefix: str
    """Prefix in the manifest of a shard's path relative to the ingested folder."""


def check_content(input_base: str, shards: Sequence[IngestedShard], key: str) -> str:
    """Checks that the shards are those that the content key and the manifest describe.

    Args:
        input_base: the folder of the data set or of one of its splits.
        shards: the shards as they were read.
        key: the content key with which the node was started; one that a user chose, or none, is
            not compared.

    Returns:
        How the shards differ from the manifest, which DataGate refuses; empty if there is none, if
        they do not differ, or if it is that of toy events.

    Raises:
        DataRefusedError: the shards are not those of the content key.
    """
    digests = {shard.path.removeprefix(input_base).lstrip("/"): shard.sha256 for shard in shards}
    manifest = _find_manifest(input_base)
    contents = dict(digests)
    if manifest:
        contents[MANIFEST] = hashlib.sha256(manifest.content).hexdigest()
    if key.startswith(PREFIX) and content_key(contents) != key:
        raise DataRefusedError(
            f"the shards in {input_base} were changed while the run read them; run again when "
            "nothing writes to this folder"
        )
    return _compare(manifest, digests) if manifest else ""


def _find_manifest(input_base: str) -> _ManifestFile | None:
    """Reads the manifest in the folder of the data set, which is this one or its parent."""
    parent, _, name = input_base.rstrip("/").rpartition("/")
    for folder, prefix in ((input_base, ""), (parent, f"{name}/")):
        path = f"{folder}/{MANIFEST}"
        if fileio.exists(path):
            with fileio.open(path, "rb") as file:
                return _ManifestFile(path, file.read(), prefix)
    return None


def _compare(file: _ManifestFile, digests: Mapping[str, str]) -> str:
    try:
        manifest = Manifest.model_validate_json(file.content)
    except ValidationError as error:
        return (
            f"{file.path} is not a manifest of `higgs convert`: {error.errors()[0]['msg']}; "
            "convert the data again, or remove this file"
        )
    if all(source.kind == GENERATED for source in manifest.sources):
        return ""
    shards = {f"{file.prefix}{name}": sha256 for name, sha256 in digests.items()}
    differences = list(_differences(manifest, shards))
    if not differences:
        return ""
    return (
        f"the data set is not the one that {file.path} describes: {first_names(differences)}; "
        f"restore the files or convert the data again, or remove {MANIFEST} if the change is "
        "intended"
    )


def _differences(manifest: Manifest, digests: Mapping[str, str]) -> Iterator[str]:
    """Compares the folders that were read."""
    folders = {PurePosixPath(name).parent for name in digests}
    listed = {
        shard.path: shard.sha256
        for shard in manifest.shards
        if PurePosixPath(shard.path).parent in folders
    }
    for name, sha256 in sorted(digests.items()):
        if name not in listed:
            yield f"{name} was added"
        elif sha256 != listed[name]:
            yield f"{name} was changed"
    yield from (f"{name} is missing" for name in sorted(listed.keys() - digests.keys()))
