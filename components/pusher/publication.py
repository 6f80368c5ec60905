"""Publishes a model as a version of a push directory: complete and verified, or not at all.

On a disk the files are copied to a hidden folder beside the versions, which servers ignore, and the
folder is renamed when every file has been read back. An object store cannot rename
folders: there the SavedModel's own file, which servers wait for, is copied last.
"""

import errno
import hashlib
import logging
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tfx.dsl.io import fileio

from formats import provenance
from formats.artifact_manifest import FileDigest, Manifest, take_manifest
from formats.atomic_files import sync
from formats.folder_lock import locked_folder
from formats.locations import is_remote
from formats.names import SAVED_MODEL_FILE
from formats.provenance import Provenance
from formats.push_directory import MARK_FILE, last_used_version, next_version, unfinished_pushes
from formats.verified_copy import check_copy, copy_files, write_complete, write_file

logger = logging.getLogger("higgs.pusher")

STAGING_PREFIX = ".pushing."
"""A folder that is not a version yet is named ``.pushing.PIPELINE.TOKEN``."""

NAME_IS_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)
"""Errors of a rename to a name that another process has used meanwhile."""

Describe = Callable[[int], Provenance]
"""Makes the provenance of a model under a version."""


@contextmanager
def exclusive_push(push_directory: str) -> Iterator[None]:
    """Locks a push directory on a disk against other pushes, and waits until theirs have ended."""
    if is_remote(push_directory):
        yield
        return
    # Where folders cannot be locked, only the rename excludes others.
    with locked_folder(Path(push_directory), wait=True):
        yield


def model_manifest(model: str, *required: str) -> dict[str, FileDigest]:
    """Returns the files of a model to push, without the provenance of an earlier push.

    Raises:
        FileNotFoundError: the folder has no SavedModel, or lacks another required file.
    """
    manifest = take_manifest(model)
    for name in (SAVED_MODEL_FILE, *required):
        if name not in manifest:
            raise FileNotFoundError(
                f"{model} has no {name}: the trained model was deleted or damaged; delete the "
                "folder and run again to train it again"
            )
    manifest.pop(provenance.FILE_NAME, None)
    return manifest


def publish(
    model: str, manifest: Manifest, push_directory: str, pipeline: str, describe: Describe
) -> Provenance:
    """Publishes a model under a new version; the caller has the directory to itself.

    Args:
        model: the SavedModel's folder.
        manifest: its files.
        push_directory: the folder of all versions.
        pipeline: the pipeline's name.
        describe: makes the version's provenance.

    Returns:
        The provenance of the new version.

    Raises:
        DamagedCopyError: what was written differs from the model.
        OSError: a file cannot be read or written.
        ValueError: no version is left.
    """
    if is_remote(push_directory):
        return _publish_remotely(model, manifest, push_directory, describe)
    staging = f"{push_directory}/{STAGING_PREFIX}{pipeline}.{secrets.token_hex(4)}"
    try:
        return _publish_locally(model, manifest, Path(staging), describe)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _publish_locally(
    model: str, manifest: Manifest, staging: Path, describe: Describe
) -> Provenance:
    push_directory = staging.parent
    copy_files(model, str(staging), manifest)
    while True:
        record = describe(next_version(str(push_directory), time.time()))
        complete = {**manifest, **_write_provenance(str(staging), record)}
        check_copy(str(staging), complete)
        for folder in {folder for path in complete for folder in Path(path).parents}:
            sync(staging / folder)
        raise_last_version(str(push_directory), int(record.version))
        try:
            staging.rename(push_directory / record.version)
        except OSError as error:
            if error.errno not in NAME_IS_TAKEN:
                raise
        else:
            sync(push_directory)
            return record


def _publish_remotely(
    model: str, manifest: Manifest, push_directory: str, describe: Describe
) -> Provenance:
    record = describe(next_version(push_directory, time.time()))
    raise_last_version(push_directory, int(record.version))
    folder = f"{push_directory}/{record.version}"
    try:
        # First, because it identifies the owner of an unfinished push.
        complete = {**manifest, **_write_provenance(folder, record)}
        copy_files(model, folder, manifest)
        check_copy(folder, complete)
    except Exception:
        with suppress(Exception):
            fileio.rmtree(folder)
        raise
    return record


def remove_leftovers(push_directory: str, pipeline: str) -> None:
    """Removes what earlier pushes of this pipeline left behind when they were killed."""
    if is_remote(push_directory):
        for push in unfinished_pushes(push_directory):
            if push.pipeline == pipeline:
                fileio.rmtree(push.folder)
                logger.info("removed what an interrupted push had left: %s", push.folder)
        return
    for folder in Path(push_directory).glob(f"{STAGING_PREFIX}{pipeline}.*"):
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            logger.warning("cannot remove %s, which an interrupted push has left", folder)
        else:
            logger.info("removed what an interrupted push had left: %s", folder)
    for mark in Path(push_directory).glob(f".{MARK_FILE}.*"):
        mark.unlink()


def raise_last_version(push_directory: str, version: int) -> None:
    """Records that a version was used, so that it is never used again."""
    if version > last_used_version(push_directory):
        write_complete(f"{push_directory}/{MARK_FILE}", f"{version}\n")


def _write_provenance(folder: str, record: Provenance) -> Manifest:
    content = record.to_json().encode()
    write_file(f"{folder}/{provenance.FILE_NAME}", [content])
    digest = FileDigest(len(content), hashlib.sha256(content).hexdigest())
    return {provenance.FILE_NAME: digest}
