"""Comparison of the ingested shards with the content key and with the manifest of the data set."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from pydantic import ValidationError
from tfx.dsl.io import fileio

from formats.content_key import PREFIX, content_key
from formats.errors import DataRefusedError
from formats.ingested_shards import IngestedShard
from formats.published.manifest import MANIFEST, Manifest

MAX_DIFFERENCES = 5
"""Differences that a message lists; the others are counted."""


def check_content(input_base: str, shards: Sequence[IngestedShard], key: str) -> None:
    """Checks that the shards are those that the content key and the manifest describe.

    Args:
        input_base: the folder of the data set or of one of its splits.
        shards: the shards as they were read.
        key: the content key with which the node was started; one that a user chose, or none, is
            not compared.

    Raises:
        DataRefusedError: they are not.
    """
    digests = {_relative(shard.path, input_base): shard.sha256 for shard in shards}
    if key.startswith(PREFIX) and content_key(digests) != key:
        raise DataRefusedError(
            f"the shards in {input_base} were changed while the run read them; run again when "
            "nothing writes to this folder"
        )
    base = PurePosixPath(input_base)
    for folder, prefix in ((input_base, ""), (_parent(input_base), f"{base.name}/")):
        path = f"{folder}/{MANIFEST}"
        if fileio.exists(path):
            _check_manifest(path, {f"{prefix}{name}": sha for name, sha in digests.items()})
            return


def _relative(path: str, folder: str) -> str:
    return path.removeprefix(folder).lstrip("/")


def _parent(folder: str) -> str:
    return folder.rstrip("/").rpartition("/")[0]


def _check_manifest(path: str, digests: dict[str, str]) -> None:
    try:
        with fileio.open(path, "rb") as file:
            manifest = Manifest.model_validate_json(file.read())
    except ValidationError as error:
        raise DataRefusedError(
            f"{path} is not a manifest of `higgs convert` or `higgs generate`: "
            f"{error.errors()[0]['msg']}; make the data set again, or remove this file"
        ) from None
    differences = list(_differences(manifest, digests))
    if differences:
        listed = ", ".join(differences[:MAX_DIFFERENCES])
        more = len(differences) - MAX_DIFFERENCES
        raise DataRefusedError(
            f"the data set is not the one that {path} describes: {listed}"
            + (f" and {more} more" if more > 0 else "")
            + ". Restore the files or make the data set again; if the change is intended, remove "
            f"{MANIFEST}."
        )


def _differences(manifest: Manifest, digests: dict[str, str]) -> Iterator[str]:
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
