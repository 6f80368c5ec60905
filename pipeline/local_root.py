"""The directories of a local run, checked before any slow import.

TFX takes many seconds to import, so every error that does not need it is reported first.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from formats.errors import UserError
from formats.locations import is_remote
from pipeline.config import Config, ConfigError, ScoreConfig
from pipeline.file_access import describe_access, find_write_error
from pipeline.local_data import NoShardsError, data_layout, find_data, refuse_named_splits
from pipeline.paths import PathError, find_pattern, local_path
from pipeline.remote_data import check_file_systems
from pipeline.system_errors import explain

LONGEST_NAME = 255
LONGEST_PATH = 3800
"""Longest folder in bytes: the system opens paths of 4,095."""

LONGEST_ROOT = 460
"""Longest root in bytes: SQLite opens paths of 504, and the metadata's are below it."""

FOLDERS = ("artifacts", "manifests", "metadata", "logs", "reports", "checkpoints", "serving")
"""The folders of a root to which a run may write."""


class RootBusyError(UserError, RuntimeError):
    """Another run uses the same root."""


def resolve(config: Config) -> Config:
    """Returns the configuration with absolute local paths and the layout of the data.

    Raises:
        ConfigError: the root is not on a local disk, another folder is not writable, the layout of
            remote data is not given or this environment cannot read them, or ``data_root`` has no
            shards where the layout requires them.
        DataRefusedError: a shard is there twice or is a folder, or one folder holds two splits.
    """
    if is_remote(config.root):
        raise ConfigError(f"root: a local run needs a local folder, got {config.root}")
    data_root = absolute_path("data_root", config.data_root)
    layout: str = config.ingestion.layout
    if not is_remote(data_root):
        layout = data_layout(Path(data_root)) if layout == "auto" else layout
        try:
            data = find_data(Path(data_root), layout)
        except NoShardsError as error:
            raise ConfigError(f"data_root: {error}") from None
        if layout == "single":
            refuse_named_splits(data)
    elif layout == "auto":
        raise ConfigError(
            "ingestion.layout: give folders, folders-with-test or single for data that is not "
            f"local ({data_root})"
        )
    else:
        check_file_systems(data_root)
    directory, checkpoints = config.push.directory, config.trainer.checkpoints
    directory = directory and _writable("push.directory", directory)
    checkpoints = checkpoints and _writable("trainer.checkpoints", checkpoints)
    return config.model_copy(
        update={
            "data_root": data_root,
            "root": absolute_path("root", config.root),
            "ingestion": config.ingestion.model_copy(update={"layout": layout}),
            "trainer": config.trainer.model_copy(update={"checkpoints": checkpoints}),
            "score": config.score and _resolve_score(config.score),
            "push": config.push.model_copy(update={"directory": directory}),
        }
    )


def _resolve_score(score: ScoreConfig) -> ScoreConfig:
    data_root = absolute_path("score.data_root", score.data_root)
    if is_remote(data_root):
        check_file_systems(data_root)
    elif not Path(data_root).is_dir():
        raise ConfigError(
            f"score.data_root: {data_root} is not a folder; give one with files to score"
        )
    return score.model_copy(update={"data_root": data_root})


@contextmanager
def exclusive_use(root: Path) -> Iterator[None]:
    """Locks the root against a second run, which would share its metadata.

    Raises:
        ConfigError: the root is not writable, has a file instead of a folder, or is on a file
            system without locks.
        RootBusyError: another run holds the lock.
    """
    # No file of a run can be changed by users other than its owner and the owner's group.
    os.umask(os.umask(0) | stat.S_IWOTH)
    with _open_lock(root) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise RootBusyError(
                f"{root} is in use by another run (process {lock.read().strip() or 'unknown'}); "
                "wait for it to end, or give this run another root"
            ) from None
        except OSError as error:
            raise ConfigError(
                f"root: the file system of {root} has no locks ({error.strerror}), which a run and "
                "its metadata need; give a root on another"
            ) from None
        with suppress(OSError):  # the id is needed only for the message above
            os.ftruncate(lock.fileno(), 0)
            os.write(lock.fileno(), str(os.getpid()).encode())
        yield


def is_writable_by_everyone(folder: Path) -> bool:
    """Returns whether any user may replace files in a folder."""
    mode = folder.stat().st_mode
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


def _open_lock(root: Path) -> IO[str]:
    try:
        root.mkdir(parents=True, exist_ok=True)
        folders = (root, *(root / name for name in FOLDERS if os.path.lexists(root / name)))
        for folder in folders:
            if not folder.is_dir():
                raise ConfigError(
                    f"root: {folder} is not a folder; move it away, or give another root"
                )
            if error := find_write_error(folder):
                raise _not_writable("root", folder, error)
        lock = root / ".lock"
        if os.path.lexists(lock) and not stat.S_ISREG(lock.lstat().st_mode):
            raise ConfigError(f"root: {lock} is a link, a folder or a special file; remove it")
        return lock.open("a+")
    except OSError as error:
        raise _not_writable("root", Path(error.filename or root), error) from None


def _not_writable(key: str, path: Path, error: OSError) -> ConfigError:
    # On a full disk, owner and mode are not the cause.
    reason, remedy = explain(error) or (
        f"{error.strerror}: {describe_access(path)}",
        "give a writable folder",
    )
    return ConfigError(f"{key}: cannot write to {path} ({reason}); {remedy}")


def _writable(key: str, path: str) -> str:
    """Returns the absolute path of a folder that a run writes to, perhaps after hours.

    Raises:
        ConfigError: it is not writable.
    """
    absolute = absolute_path(key, path)
    if not is_remote(path):
        folder = Path(absolute)
        place = next(parent for parent in (folder, *folder.parents) if os.path.lexists(parent))
        if error := find_write_error(place):
            raise _not_writable(key, folder, error)
    return absolute


def _find_name_fault(path: str, longest: int) -> str:
    """Returns why no file below a folder could be opened; empty if they can."""
    try:
        parts = [len(part) for part in path.encode().split(b"/")]
    except UnicodeEncodeError:
        return "TensorFlow opens only paths in UTF-8; rename this one"
    size = sum(parts) + len(parts) - 1
    if size > longest:
        return f"the path has {size:,} bytes, at most {longest:,} are possible; use a shorter one"
    if max(parts) > LONGEST_NAME:
        return (
            f"a name has {max(parts)} bytes, at most {LONGEST_NAME} are possible; use a shorter one"
        )
    return ""


def absolute_path(key: str, path: str) -> str:
    """Makes a local path absolute; URIs stay as they are.

    Raises:
        ConfigError: TFX, TensorFlow or the system could not open files below it; the message
            starts with the key or the option.
    """
    absolute = path
    if not is_remote(path):
        try:
            absolute = str(local_path(path).absolute())
        except PathError as error:
            raise ConfigError(f"{key}: {error}") from None
        if fault := _find_name_fault(absolute, LONGEST_ROOT if key == "root" else LONGEST_PATH):
            raise ConfigError(f"{key}: {fault}: {absolute!r}")
    if fault := find_pattern(absolute):
        raise ConfigError(f"{key}: {fault}")
    return absolute
