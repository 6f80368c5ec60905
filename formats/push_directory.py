"""The push directory: one folder per version, named by a number that is never used twice."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tfx.dsl.io import fileio

from formats import provenance
from formats.artifact_manifest import open_file, summarize, take_manifest, verify
from formats.locations import is_remote
from formats.names import SAVED_MODEL_FILE
from formats.provenance import Provenance, model_digest

MAX_VERSION = 2**63 - 1
"""TensorFlow Serving reads a version as int64."""

MARK_FILE = ".last_version"
"""File of a push directory that holds the largest version ever used in it."""

_NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True)
class PushedVersion:
    """One version in a push directory.

    Attributes:
        version: its number, the name of its folder.
        folder: its folder.
        model_sha256: one digest for all files of the model as it was pushed, even if they were
            changed since; empty if it is unknown.
        fault: how its files differ from those that were pushed; empty for a complete version.
        provenance: where it comes from; None if its file is missing or cannot be used.
    """

    version: int
    folder: str
    model_sha256: str
    fault: str = ""
    provenance: Provenance | None = None

    @property
    def pipeline(self) -> str:
        """The pipeline that pushed it; empty if it is unknown."""
        return self.provenance.pipeline if self.provenance else ""


def pushed_versions(push_directory: str) -> Iterator[PushedVersion]:
    """Yields the versions of a push directory, the newest first, and reads each one's files.

    Everything else is skipped: other names, files, and folders in which a push was cut short before
    the SavedModel's own file.
    """
    for number in sorted(folder_numbers(push_directory), reverse=True):
        version = read_version(f"{push_directory}/{number}", number)
        if version:
            yield version


def newest_version(push_directory: str) -> PushedVersion | None:
    """Finds the newest version, damaged or not; None if there is none."""
    return next(pushed_versions(push_directory), None)


def read_version(folder: str, number: int) -> PushedVersion | None:
    """Reads a version's provenance and compares its files with it; None if it is incomplete."""
    if not _exists(f"{folder}/{provenance.FILE_NAME}"):
        return _without_provenance(folder, number)
    if is_remote(folder) and not _exists(f"{folder}/{SAVED_MODEL_FILE}"):
        return None
    try:
        record = Provenance.read(folder)
    except (ValueError, OSError) as error:
        return PushedVersion(number, folder, "", fault=str(error))
    # Files that others add, such as warm-up requests, do not change the model.
    problems = verify(folder, record.manifest, others_allowed=True)
    return PushedVersion(number, folder, record.model_sha256, summarize(problems), record)


def unfinished_pushes(push_directory: str) -> Iterator[PushedVersion]:
    """Yields the remains of killed pushes to an object store.

    Their SavedModel's own file is missing, so that they are not versions. The fault says so.
    """
    for number in sorted(folder_numbers(push_directory)):
        folder = f"{push_directory}/{number}"
        if _exists(f"{folder}/{SAVED_MODEL_FILE}"):
            continue
        with suppress(ValueError, OSError, fileio.NotFoundError):
            record, fault = Provenance.read(folder), f"{SAVED_MODEL_FILE} is missing"
            yield PushedVersion(number, folder, record.model_sha256, fault, record)


def _without_provenance(folder: str, number: int) -> PushedVersion | None:
    """Reads a version of an earlier release, or the remains of a version."""
    if _exists(f"{folder}/{SAVED_MODEL_FILE}"):
        try:
            return PushedVersion(number, folder, model_digest(take_manifest(folder)))
        except OSError as error:
            return PushedVersion(number, folder, "", f"a file cannot be read ({error})")
    # Every push makes this folder, in the same step as the files that are gone.
    if not is_remote(folder) and _exists(f"{folder}/{provenance.FILE_NAME.split('/')[0]}"):
        fault = f"{SAVED_MODEL_FILE} and {provenance.FILE_NAME} are missing"
        return PushedVersion(number, folder, "", fault)
    return None


def next_version(push_directory: str, seconds: float) -> int:
    """Chooses a version above every number in the directory and every number ever used in it.

    Args:
        push_directory: the directory; it need not exist.
        seconds: the time since 1970, which is the version unless a larger one exists.

    Raises:
        ValueError: no number is left.
    """
    largest = max(
        [*_numbers(_entries(push_directory)), last_used_version(push_directory)], default=0
    )
    version = max(int(seconds), largest + 1)
    if version > MAX_VERSION:
        raise ValueError(
            f"no version is left above {largest} in {push_directory}, because TensorFlow Serving "
            f"reads versions up to {MAX_VERSION}; rename or remove what has that number, or "
            f"{MARK_FILE} if that contains it"
        )
    return version


def last_used_version(push_directory: str) -> int:
    """Reads the largest version ever used in a push directory; 0 if it is unknown."""
    path = f"{push_directory}/{MARK_FILE}"
    if not _exists(path):
        return 0
    with open_file(path) as file:
        name = file.read(100).decode("ascii", "replace").strip()
    return max(_numbers([name]), default=0)


def folder_numbers(push_directory: str) -> Iterator[int]:
    """Yields the numbers of the folders that are named by one, in no order."""
    for entry in _entries(push_directory):
        for number in _numbers([entry]):
            # Not 0123, which has the number of another folder.
            if entry == str(number) and _is_folder(f"{push_directory}/{entry}"):
                yield number


def _numbers(names: list[str]) -> list[int]:
    numbers = (int(name) for name in names if _NUMBER.fullmatch(name) and len(name) < 100)
    return [number for number in numbers if number <= MAX_VERSION]


def _entries(push_directory: str) -> list[str]:
    if not _exists(push_directory):
        return []
    if not is_remote(push_directory):
        return [path.name for path in Path(push_directory).iterdir()]
    # Object stores list folders with a trailing slash.
    return [entry.strip("/") for entry in fileio.listdir(push_directory)]


# TFX's functions for local paths are TensorFlow's, which fail on names that are not UTF-8.
def _exists(path: str) -> bool:
    exists: bool = fileio.exists(path) if is_remote(path) else Path(path).exists()
    return exists


def _is_folder(path: str) -> bool:
    is_folder: bool = fileio.isdir(path) if is_remote(path) else Path(path).is_dir()
    return is_folder
