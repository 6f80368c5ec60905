import errno
import os
import re
import resource
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest

from formats.errors import DamagedBaselineError
from pipeline import machine_checks
from pipeline.config import ConfigError
from pipeline.machine_checks import (
    NoSpaceError,
    check_environment,
    check_space,
    describe_failure,
)
from pipeline.system_errors import DISK_FAULTS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def set_free(monkeypatch, tmp_path):
    """Sets the free megabytes of a folder's disk; the other disks have plenty."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    (tmp_path / "root").mkdir()

    def set_free(name, megabytes):
        def statvfs(folder):
            free = int(1000 * (megabytes if folder == tmp_path / name else 1000))
            blocks = {"f_blocks": free + 9, "f_bfree": free + 5, "f_bavail": free, "f_frsize": 1000}
            return SimpleNamespace(**blocks, f_files=0)

        monkeypatch.setattr(os, "statvfs", statvfs)

    return set_free


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"TF_CONFIG": ""}, "TF_CONFIG is set but empty"),
        ({"KERAS_BACKEND": "jax"}, "KERAS_BACKEND is 'jax', .* set it to tensorflow"),
        ({"KERAS_BACKEND": ""}, "KERAS_BACKEND is ''"),
        ({"TMPDIR": "/nowhere"}, r"TMPDIR: cannot write to /nowhere \(No such file .* unset"),
        ({"TMPDIR": "/dev/null"}, r"TMPDIR: cannot write to /dev/null \(Not a directory"),
    ],
)
def test_a_variable_with_which_a_run_would_fail_is_refused(variables, reason):
    with pytest.raises(ConfigError, match=reason):
        check_environment(variables)


def test_a_limit_of_the_process_is_not_blamed_on_the_temporary_folder(monkeypatch):
    fault = OSError(errno.EFBIG, "File too large")
    monkeypatch.setattr(machine_checks, "find_write_error", lambda _: fault)
    with pytest.raises(ConfigError, match=r"exceed the largest size .* raise it \(`ulimit -f`\)"):
        check_environment({"TMPDIR": "/data"})


def test_a_machine_without_semaphores_is_refused(monkeypatch):
    def lock():
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("multiprocessing.Lock", lock)
    with pytest.raises(ConfigError, match=r"semaphore in /dev/shm \(Read-only file system\)"):
        check_environment({})


def test_harmless_variables_are_accepted(tmp_path):
    check_environment({})
    check_environment(
        {"KERAS_BACKEND": "tensorflow", "TF_USE_LEGACY_KERAS": "1", "TMPDIR": str(tmp_path)}
    )


def test_another_module_with_the_name_of_a_package_is_refused(tmp_path, monkeypatch):
    """A user's ``models`` on PYTHONPATH, which would replace the code that the run records."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "models", raising=False)
    with pytest.raises(ConfigError, match=f"'models' at {tmp_path}.* from PYTHONPATH"):
        check_environment({})


CHECK_OF_AN_EDITABLE_INSTALL = """
import sys
from importlib.machinery import PathFinder

class Editable:  # as setuptools': after the path, packages and the modules in them
    def find_spec(name, path=None, target=None):
        parent = name.rpartition(".")[0]
        return None if "." in parent else PathFinder.find_spec(name, [f"{sys.argv[2]}/{parent}"])

sys.meta_path.insert(sys.meta_path.index(PathFinder) + 1, Editable)
sys.path.insert(0, sys.argv[1])
from pipeline.machine_checks import check_packages
check_packages()
"""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("models/1/saved_model.pb", ""),
        ("models/event_table.py", r"'models.event_table' at \S+/models/event_table.py"),
        ("models/training/events.csv", r"'models.training' at \S+/models/training, not"),
    ],
)
@pytest.mark.slow
def test_a_folder_with_the_name_of_a_package_hides_only_what_it_contains(tmp_path, content, reason):
    (tmp_path / content).parent.mkdir(parents=True)
    (tmp_path / content).touch()
    # Isolated, so that PYTHONPATH does not name the checkout.
    command = [sys.executable, "-I", "-c", CHECK_OF_AN_EDITABLE_INSTALL, tmp_path, ROOT]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode == 0) == (reason == "")
    assert re.search(reason, done.stderr)


@pytest.mark.parametrize("name", ["root", "temporary"])
def test_a_full_disk_is_found_before_the_run(set_free, tmp_path, name):
    set_free(name, 31)
    with pytest.raises(NoSpaceError) as error:
        check_space(tmp_path / "root")
    assert f"{tmp_path / name} (31.0 MB free); a run needs at least 32 MB" in str(error.value)


def test_the_disk_of_a_root_that_does_not_exist_yet_is_its_parents(set_free, tmp_path):
    set_free("root", 1)
    with pytest.raises(NoSpaceError, match="no space is left in the root"):
        check_space(tmp_path / "root" / "runs" / "first")


def test_a_disk_without_inodes_is_named(set_free, tmp_path, monkeypatch):
    set_free("root", 1000)
    monkeypatch.setattr(machine_checks, "lacks_inodes", lambda folder: folder.name == "root")
    reason = rf"no inodes are left in the root, {tmp_path}/root \(`df -i`\)"
    with pytest.raises(NoSpaceError, match=f"^{reason}; "):
        check_space(tmp_path / "root")
    description = describe_failure(RuntimeError("x"), tmp_path / "root")
    assert re.match(f"{reason}; free some and run again", description)


def test_enough_space_is_not_an_error(set_free, tmp_path):
    set_free("root", 33)
    check_space(tmp_path / "root")
    check_space(Path("/proc/root that cannot be made"))  # it has no size, and is refused as such


@pytest.mark.parametrize("number", [errno.EDQUOT, errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_cannot_hold_a_file_is_detected(set_free, tmp_path, monkeypatch, number):
    set_free("root", 1000)

    def fail(**_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(machine_checks.tempfile, "TemporaryFile", fail)
    with pytest.raises(NoSpaceError, match=rf"{DISK_FAULTS[number][0]}; use another folder$"):
        check_space(tmp_path / "root")


def test_an_error_that_only_a_full_disk_explains_names_the_disk(set_free, tmp_path):
    """Autograph writes temporary files, and reports a full disk as a fault of the model."""
    set_free("temporary", 0)
    error = TypeError("using a symbolic `tf.Tensor` as a Python `bool` is not allowed")
    description = describe_failure(error, tmp_path / "root")
    assert description.startswith("no space is left in the folder of temporary files (TMPDIR), ")
    assert "free some and run again" in description
    assert description.endswith("(reported as TypeError)")


def test_the_file_that_could_not_be_written_is_named(tmp_path):
    error = RuntimeError("a node failed")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device", "/serving/1/model")
    assert describe_failure(error, tmp_path).startswith("no space is left for /serving/1/model;")


def test_a_disk_that_fails_is_not_called_full(tmp_path):
    error = OSError(errno.EIO, "Input/output error", "/serving/1/model")
    assert describe_failure(error, tmp_path) == (
        "the disk reports an input/output error for /serving/1/model; check the disk and run "
        "again: finished nodes are reused (reported as OSError)"
    )


def test_a_fault_without_a_file_names_the_nodes_folder(tmp_path):
    error = OSError(errno.EIO, "Input/output error")
    assert describe_failure(error, tmp_path, "HistogramGen").startswith(
        "the disk reports an input/output error for a file of HistogramGen, which writes to "
        f"{tmp_path}/artifacts/HistogramGen; check the disk"
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "there is not enough memory; end"),
        (OSError(errno.EMFILE, "Too many open files"), "this process has too many files open; all"),
    ],
)
def test_a_limit_of_the_process_has_no_folder(tmp_path, error, reason):
    assert describe_failure(error, tmp_path, "Trainer").startswith(reason)


def test_a_limit_of_file_sizes_is_among_the_causes_of_a_failed_write(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, before[1]))
    try:
        description = describe_failure(RuntimeError("disk I/O error"), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    limit = "check its disk, the largest size of files allowed (`ulimit -f`) and permissions"
    assert limit in description
    assert "ulimit" not in describe_failure(RuntimeError("disk I/O error"), tmp_path)


@pytest.mark.parametrize(
    "words", ["database is locked", "Concurrent writes aborted after max number of retries."]
)
def test_metadata_that_another_process_locks_is_named(tmp_path, words):
    description = describe_failure(RuntimeError(words), tmp_path)
    name = f"{tmp_path}/metadata/metadata.sqlite"
    assert description.startswith(f"another process keeps {name} locked; end it and run again")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("disk I/O error", "disk I/O error"),
        ("database or disk is full", "database or disk is full"),
        ("cannot commit - no transaction is active", "a write failed and was rolled back"),
    ],
)
def test_a_failed_commit_names_the_metadata_file(tmp_path, words, reason):
    query = "INSERT INTO `Artifact` VALUES(1)"
    error = RuntimeError(f"Error when executing query: {words} query: {query}")
    description = describe_failure(error, tmp_path)
    assert description.startswith(f"cannot write {tmp_path}/metadata/metadata.sqlite: {reason};")
    assert query not in description


def test_an_error_that_beam_reports_as_text_is_named(tmp_path):
    path = tmp_path / "artifacts" / "Evaluator" / "attributions.tfrecord"
    fault = PermissionError(13, "Permission denied")
    error = RuntimeError(f"Rename failed with exceptions {{('/a', '{path}'): {fault!r}}} [while")
    assert describe_failure(error, tmp_path) == (
        f"cannot use {path}: Permission denied; check its disk and permissions and run again: "
        "finished nodes are reused (reported as RuntimeError)"
    )
    error = RuntimeError(f"Encountered exceptions in finalize_write: [OSError({fault!r})] [while")
    assert describe_failure(error, tmp_path, "TestEvaluator").startswith(
        f"cannot use a file of TestEvaluator, which writes to {tmp_path}/artifacts/TestEvaluator: "
        "Permission denied; check its disk and permissions and run again"
    )
    # TensorFlow puts a semicolon behind the path.
    for reason in ("Permission denied", "No such file or directory"):
        described = describe_failure(RuntimeError(f"{path}; {reason}"), tmp_path)
        assert described.startswith(f"cannot use {path}: {reason}; ")
    described = describe_failure(RuntimeError(f"{path} is not a directory"), tmp_path)
    assert described.startswith(f"cannot use {path}: not a directory; ")
    # That one is not of the run.
    missing = RuntimeError("{'/data/x': FileNotFoundError(2, 'No such file or directory')}")
    assert describe_failure(missing, tmp_path, "Trainer") == f"RuntimeError: {missing}"
    # It has its own remedy.
    baseline = DamagedBaselineError(f"{path} cannot be read (Permission denied); restore it")
    assert describe_failure(baseline, tmp_path) == f"DamagedBaselineError: {baseline}"
    elsewhere = RuntimeError("403: Permission denied on bucket gs://events")
    assert describe_failure(elsewhere, tmp_path, "Trainer") == f"RuntimeError: {elsewhere}"
    other = RuntimeError(f"{tmp_path}/x is not a model")
    assert describe_failure(other, tmp_path) == f"RuntimeError: {other}"


def test_a_file_that_is_not_what_a_run_needs_is_named_with_the_remedy(tmp_path):
    error = IsADirectoryError(errno.EISDIR, "Is a directory", "/serving/.last_version")
    assert describe_failure(error, tmp_path) == (
        "cannot use /serving/.last_version: Is a directory; check it and its permissions and run "
        "again: finished nodes are reused (reported as IsADirectoryError)"
    )


def test_any_other_error_is_described_as_it_is(tmp_path):
    assert describe_failure(ValueError("a reason"), tmp_path) == "ValueError: a reason"


def test_a_job_server_that_is_lost_is_named(tmp_path, monkeypatch):
    for name in ("grpc_proxy", "https_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        grpc.insecure_channel(f"127.0.0.1:{taken.getsockname()[1]}") as channel,
    ):
        # Beam waits for the channel when it submits a job, and reads a stream while one runs.
        with pytest.raises(grpc.FutureTimeoutError) as late:
            grpc.channel_ready_future(channel).result(0.01)
        with pytest.raises(grpc.RpcError) as lost:
            next(iter(channel.unary_stream("/jobs/messages")(b"", timeout=0.01)))
    assert describe_failure(late.value, tmp_path) == (
        "the Beam job server no longer answers (no answer in time); look at its log, restart it "
        "and run again: finished nodes are reused (reported as FutureTimeoutError)"
    )
    assert "job server no longer answers (Deadline Exceeded); " in describe_failure(
        lost.value, tmp_path
    )


@pytest.mark.parametrize(("files", "is_enough"), [(20, False), (63, False), (64, True), (-1, True)])
def test_too_few_open_files_are_refused(monkeypatch, files, is_enough):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, 4096))
    sentence = rf"too few open files are allowed \({files}\): allow more \(`ulimit -n 4096`\)"
    with nullcontext() if is_enough else pytest.raises(ConfigError, match=sentence):
        check_environment({})


def test_what_a_job_server_answers_is_not_its_loss(tmp_path):
    with ThreadPoolExecutor() as threads:
        server = grpc.server(threads)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        with (
            grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
            pytest.raises(grpc.RpcError) as refused,
        ):
            channel.unary_unary("/jobs/run")(b"", timeout=60)
        server.stop(None)
    assert describe_failure(refused.value, tmp_path) == (
        "the Beam job server answered UNIMPLEMENTED (Method not found!); look at its log and run "
        f"again: finished nodes are reused (reported as {type(refused.value).__name__})"
    )
