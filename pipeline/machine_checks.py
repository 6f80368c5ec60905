"""Checks of the machine before a run: environment variables, and space to write.

They take milliseconds. Without them the same faults appear minutes later, with misleading messages.
"""

import errno
import importlib.util
import multiprocessing
import os
import re
import resource
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from formats.cluster import ClusterConfigError, read_cluster
from formats.errors import UserError
from formats.source_version import PACKAGES, find_source, modules_of
from pipeline.beam_options import describe_job_server_error
from pipeline.config import ConfigError
from pipeline.file_access import find_write_error
from pipeline.metadata_check import metadata_file
from pipeline.secret_values import redact
from pipeline.system_errors import DISK_FAULTS, LIMITS, explain, lacks_inodes

LEAST_FREE_MB = 32
"""Minimum free space for a run to start."""

LEAST_FILES = 64
"""Minimum number of open files for a run to start; with fewer, SQLite's message is misleading."""

FULL_MB = 1
"""A failure with less free space is attributed to the full disk."""

ROLLED_BACK = "cannot commit - no transaction is active"

LOCKED = "Concurrent writes aborted after max number of retries"
"""ML Metadata's message when another process keeps the database locked."""

SQLITE_FAULT = re.compile(
    "disk I/O error|database or disk is full|attempt to write a readonly database|"
    "unable to open database file|database is locked|database disk image is malformed|"
    f"{ROLLED_BACK}|{LOCKED}"
)
"""SQLite's messages for a failed write, which ML Metadata puts into its own."""


class NoSpaceError(UserError, RuntimeError):
    """A folder that a run writes to is full; the message names it and the remedy."""


def check_environment(environment: Mapping[str, str]) -> None:
    """Checks the variables that the libraries read, and the folder of semaphores.

    Raises:
        ConfigError: a variable would make a run fail or never end, another module has the name of
            a package of this project, or Beam could not create locks.
    """
    check_keras(environment)
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= files < LEAST_FILES:
        _, remedy = LIMITS[errno.EMFILE]
        raise ConfigError(f"too few open files are allowed ({files}): {remedy}")
    check_packages()
    try:
        read_cluster(environment)
    except ClusterConfigError as error:
        raise ConfigError(str(error)) from None
    folder = environment.get("TMPDIR")
    # Python would take another folder silently, TensorFlow would not.
    fault = find_write_error(Path(folder)) if folder else None
    if fault and fault.errno not in DISK_FAULTS:
        reason, remedy = explain(fault) or (fault.strerror, "create it, or unset TMPDIR")
        raise ConfigError(f"TMPDIR: cannot write to {folder} ({reason}); {remedy}")
    try:
        multiprocessing.Lock()
    except OSError as error:
        raise ConfigError(
            f"cannot create a semaphore in /dev/shm ({error.strerror}), which Beam needs: mount "
            "a tmpfs there that this user can write to"
        ) from None


def check_packages() -> None:
    """Checks that nodes will import this project's packages, whose digest a run records.

    Raises:
        ConfigError: another module is found first, as through ``PYTHONPATH``.
    """
    for package in PACKAGES:
        place = _place(package)
        modules = [package]
        if place is not None and place.is_dir():
            # Without __init__.py it precedes an editable install, but hides only what it contains.
            modules = [module for module in modules_of(package) if module.count(".") == 1]
        for module in modules:
            found, source = _place(module), find_source(module)
            if found is None or source is None or not source.samefile(found):
                raise ConfigError(
                    f"Python finds the module {module!r} at {found}, not at {source}: remove its "
                    "folder from PYTHONPATH"
                )


def _place(module: str) -> Path | None:
    """Returns the file of a module, or the first folder of a package without ``__init__.py``."""
    spec = importlib.util.find_spec(module)
    if spec is None:
        return None
    places = [spec.origin] if spec.origin else spec.submodule_search_locations or ()
    return next(map(Path, places), None)


def check_keras(environment: Mapping[str, str]) -> None:
    """Checks that Keras 3, which TFX's libraries import, is to run on TensorFlow.

    Raises:
        ConfigError: ``KERAS_BACKEND`` names another framework.
    """
    backend = environment.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise ConfigError(
            f"KERAS_BACKEND is {backend!r}, but this pipeline needs TensorFlow: unset "
            "KERAS_BACKEND, or set it to tensorflow"
        )


WRAPPED_FAULT = re.compile(
    r"(Error\((?!20?,)\d+, ')?"
    "(Permission denied|Read-only file system|Input/output error|No space left on device|"
    "No such file or directory|[Nn]ot a directory)"
)
"""Reasons of errors that libraries report as text.

The first group matches an error of Python, which may concern a file of the run although the text
names none. A file that is missing or is not a folder (errors 2 and 20) is more likely data or a
program.
"""


def check_space(root: Path) -> None:
    """Checks that the root and the folder of temporary files can take what a run writes.

    Raises:
        NoSpaceError: one of them cannot.
    """
    for fault, is_full in _faults(_folders(root), LEAST_FREE_MB):
        need = f"a run needs at least {LEAST_FREE_MB} MB: free some, or " if is_full else ""
        raise NoSpaceError(f"{fault}; {need}use another folder")


def describe_failure(error: BaseException, root: Path, node: str | None = None) -> str:
    """Describes why a run failed; a disk that refuses writes is named in any case.

    Args:
        error: what the run raised.
        root: the pipeline root.
        node: the node that was running; it and its folder are named if no file is.
    """
    folder = root / "artifacts" / node if node else root
    unnamed = f"a file of {node or 'the run'}, which writes to {folder}"
    name = type(error).__name__
    if fault := next(correctable_faults(error, root, unnamed), ""):
        return f"{fault} and run again: finished nodes are reused (reported as {name})"
    return f"{name}: {redact(str(error))}"


def correctable_faults(error: BaseException, root: Path, unnamed: str) -> Iterator[str]:
    """Yields causes outside the program, each with a remedy, the most certain one first.

    Args:
        error: what a pipeline raised.
        root: the folder that it writes to.
        unnamed: what to call a file whose name is not known.
    """
    for fault, is_full in _faults(_folders(root), FULL_MB):
        yield f"{fault}; {'free some' if is_full else 'make it writable'}"
    for cause in _causes(error):
        if refused := _refused_write(cause, root, unnamed):
            yield refused
    if isinstance(error, OSError) and error.filename:
        yield (
            redact(f"cannot use {error.filename}: {error.strerror}")
            + "; check it and its permissions"
        )
    if lost := describe_job_server_error(error):
        yield lost


def _refused_write(error: BaseException, root: Path, unnamed: str) -> str | None:
    """Describes an error of the file system or of the metadata's database, with a remedy."""
    if isinstance(error, UserError):
        return None  # it names the file and the remedy itself
    if found := SQLITE_FAULT.search(str(error)):
        if found[0] in (LOCKED, "database is locked"):
            return f"another process keeps {metadata_file(root)} locked; end it"
        reason = "a write failed and was rolled back" if found[0] == ROLLED_BACK else found[0]
        is_limited = resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY
        limit = ", the largest size of files allowed (`ulimit -f`)" if is_limited else ""
        return (
            f"cannot write {metadata_file(root)}: {reason}; check its disk{limit} and permissions"
        )
    if explained := explain(error):
        reason, remedy = explained
        name = getattr(error, "filename", None)
        if not name and getattr(error, "errno", None) in DISK_FAULTS:
            name = unnamed
        return f"{reason}{f' for {name}' if name else ''}; {remedy}"
    # Beam reports the errors of its file layer as text, some of them without the file.
    path = re.search(re.escape(str(root)) + r"[^\s'\",)\]]*", str(error))
    fault = WRAPPED_FAULT.search(str(error))
    if fault and (path or fault[1]):
        place = path[0].rstrip(";:") if path else unnamed
        return f"cannot use {place}: {fault[2]}; check its disk and permissions"
    return None


def _folders(root: Path) -> dict[str, Path]:
    temporary = os.environ.get("TMPDIR")
    return {
        # It is created later.
        "the root": next(folder for folder in (root, *root.parents) if folder.exists()),
        "the folder of temporary files (TMPDIR)": Path(temporary)
        if temporary
        else _default_temporary_folder(),
    }


def _default_temporary_folder() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:  # it found none that it can write to
        return Path("/tmp")  # noqa: S108 (only looked at)


def _faults(folders: Mapping[str, Path], least: float) -> Iterator[tuple[str, bool]]:
    """Yields what keeps folders from being written to, and whether they are full."""
    for name, folder in folders.items():
        if lacks_inodes(folder):
            yield f"no inodes are left in {name}, {folder} (`df -i`)", True
            continue
        free = _free_megabytes(folder)
        if free is not None and free < least:
            yield f"no space is left in {name}, {folder} ({free:.1f} MB free)", True
        elif (error := find_write_error(folder)) and error.errno in DISK_FAULTS:
            yield f"cannot write to {name}, {folder}: {DISK_FAULTS[error.errno][0]}", False


def _free_megabytes(folder: Path) -> float | None:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    # Some file systems, such as /proc, have no size.
    return usage.free / 1e6 if usage.total else None


def _causes(error: BaseException | None) -> Iterable[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
