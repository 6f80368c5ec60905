import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import tensorflow as tf
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, RuntimeException

from components.serving_check import probe, probe_process
from components.serving_check.probe_process import (
    Limits,
    ServingCheckError,
    describe_end,
    probe_environment,
    score_in_fresh_process,
)

LIMITS = Limits(timeout_minutes=10, memory_gb=16)


@pytest.fixture
def features(reference):
    return reference.features


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Replaces the probe by a script."""

    def replace(text):
        (tmp_path / "probe.py").write_text(text)
        monkeypatch.setattr(probe, "__file__", str(tmp_path / "probe.py"))

    return replace


def is_running(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def reason(features, limits=LIMITS, model="a model"):
    with pytest.raises(ServingCheckError) as caught:
        score_in_fresh_process(model, features, limits)
    assert "the model was not refused" in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.slow
def test_a_killed_probe_is_not_a_verdict(stand_in, features):
    stand_in("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert "was killed by SIGKILL: the kernel does this when memory runs out" in reason(features)


@pytest.mark.slow
def test_a_crash_of_the_probe_is_not_a_verdict(stand_in, features):
    stand_in("import os, sys\nprint('bad magic', file=sys.stderr, flush=True)\nos.abort()")
    assert "was killed by SIGABRT (bad magic): the log has what it printed" in reason(features)


@pytest.mark.slow
def test_a_timeout_of_the_probe_is_not_a_verdict(stand_in, features):
    stand_in("import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)")
    message = reason(features, Limits(timeout_minutes=0.02))
    assert "ended after 0.02 minutes, its time limit" in message
    assert "raise serving_check.timeout_minutes" in message


@pytest.mark.slow
def test_missing_packages_are_not_a_verdict(stand_in, features, tmp_path, monkeypatch):
    stand_in("import a_package_that_is_not_installed")
    message = reason(features)
    assert "No module named 'a_package_that_is_not_installed'" in message
    assert f"check that {sys.executable} can import TensorFlow, ONNX Runtime and NumPy" in message


@pytest.mark.slow
def test_packages_are_found_where_this_process_finds_them(
    features, tmp_path, monkeypatch, stand_in
):
    """Not on the path of `python -I`: a folder of PYTHONPATH, or the user's own packages."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "numpy_elsewhere.py").write_text("from numpy import savez")
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    stand_in(
        "import json, sys, numpy_elsewhere\n"
        "numpy_elsewhere.savez(sys.argv[3], signal_probability=[[0.5]])\n"
        "open(sys.argv[4], 'w').write(json.dumps({'fault': None}))\n"
    )
    assert score_in_fresh_process("a model", features, LIMITS).scores.tolist() == [[0.5]]


@pytest.mark.slow
def test_lack_of_memory_is_not_a_verdict(stand_in, features):
    stand_in("import numpy\nnumpy.ones(2**31)")
    message = reason(features, Limits(memory_gb=1))
    assert "raise serving_check.memory_gb, now 1" in message


@pytest.mark.slow
def test_a_full_disk_is_not_a_verdict(stand_in, features):
    stand_in("import os\nwith open('/dev/full', 'w') as file:\n    file.write('scores')\n")
    assert "free disk space in" in reason(features)


@pytest.mark.slow
def test_an_exception_ends_the_process(stand_in, features, tmp_path):
    """As Ctrl-C does: `KeyboardInterrupt` in this process."""
    stand_in(
        f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "time.sleep(60)"
    )
    pid_file = tmp_path / "pid"

    def interrupt():
        while not (pid_file.exists() and pid_file.read_text()):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        score_in_fresh_process("a model", features, LIMITS)
    assert not is_running(int(pid_file.read_text()))


def test_a_missing_interpreter_is_not_a_verdict(features, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert "/nowhere/python" in reason(features)


@pytest.mark.slow
def test_a_remote_export_is_copied_for_the_process(export, features, reference, monkeypatch):
    """The process has no network to read it with; the bucket here is a file system in memory."""
    remote = "ram://bucket/model"
    for path in Path(export).rglob("*"):
        if path.is_file():
            tf.io.gfile.makedirs(f"{remote}/{path.parent.relative_to(export)}")
            tf.io.gfile.copy(str(path), f"{remote}/{path.relative_to(export)}", overwrite=True)
    for model in (remote, f"{remote}/model.onnx"):
        scores = score_in_fresh_process(model, features, LIMITS).scores
        np.testing.assert_allclose(scores, reference.scores, atol=1e-6)
    missing = score_in_fresh_process(f"{remote}/other.onnx", features, LIMITS)
    assert "NoSuchFile" in missing.fault


@pytest.mark.parametrize(
    ("code", "messages", "parts"),
    [
        (-signal.SIGKILL, "", ["was killed by SIGKILL", "memory"]),
        (137, "", ["was killed by SIGKILL", "memory"]),
        (-signal.SIGSEGV, "", ["was killed by SIGSEGV"]),
        (-signal.SIGABRT, "what(): std::bad_alloc", ["SIGABRT", "serving_check.memory_gb, now 16"]),
        (1, "OSError: [Errno 28] No space left on device", ["exit status 1", "free disk space"]),
        (1, "ImportError: libx.so: failed to map segment", ["serving_check.memory_gb"]),
        (1, "OSError: [Errno 122] Disk quota exceeded", ["exit status 1", "free disk space"]),
        (1, "ImportError: cannot import name 'x'", ["can import TensorFlow, ONNX Runtime"]),
        (1, "ModuleNotFoundError: No module named 'x'", ["can import TensorFlow, ONNX Runtime"]),
        (1, "MemoryError", ["serving_check.memory_gb, now 16"]),
        (1, "OOM when allocating tensor with shape[9]", ["serving_check.memory_gb, now 16"]),
        (1, "", ["ended with exit status 1: the log"]),
    ],
)
def test_the_end_of_a_process_is_described(code, messages, parts):
    description = describe_end(code, messages, LIMITS)
    assert all(part in description for part in parts), description


def test_no_credential_is_in_the_environment():
    secrets = (
        "AWS_SECRET_ACCESS_KEY GOOGLE_APPLICATION_CREDENTIALS GITHUB_TOKEN HTTPS_PROXY https_proxy "
        "KUBECONFIG MY_PASSWORD SSH_AUTH_SOCK TF_CONFIG PYTHONPATH"
    )
    environment = dict.fromkeys(secrets.split(), "s3cret")
    kept = {"PATH": "/bin", "LD_LIBRARY_PATH": "/lib", "OMP_NUM_THREADS": "2"}
    folder = "/var/check"
    assert probe_environment({**environment, **kept, "HOME": "/root"}, folder) == {
        **kept,
        "HOME": folder,
        "TMPDIR": folder,
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), MemoryError),
        (OSError(errno.ENOSPC, "No space left on device"), errno.ENOSPC),
        (OSError(errno.EIO, "Input/output error"), errno.EIO),
        (OSError(errno.EACCES, "Permission denied"), errno.EACCES),
        (tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"), MemoryError),
        (tf.errors.ResourceExhaustedError(None, None, "m; Too many open files"), errno.EMFILE),
        (tf.errors.OpError(None, None, "m; Too many open files", 8), errno.EMFILE),
        (tf.errors.UnknownError(None, None, "m/variables.index; Input/output error"), errno.EIO),
        (tf.errors.PermissionDeniedError(None, None, "m/variables.index"), None),
        (tf.errors.InternalError(None, None, "Dst tensor is not initialized."), MemoryError),
        (Fail("Load model from m.onnx failed:system error number 24"), errno.EMFILE),
        (Fail("Load model from m.onnx failed:system error number 13"), errno.EACCES),
        (RuntimeException("Failed to allocate memory for requested buffer of size 9"), MemoryError),
        (RuntimeException("Exception during initialization: std::bad_alloc"), MemoryError),
        (RuntimeException("CUDA failure 2: out of memory ; GPU=0"), MemoryError),
        (RuntimeError("pthread_create failed, error msg: Cannot allocate memory"), MemoryError),
        (RuntimeError("Could not allocate bytes object!"), MemoryError),
        (ImportError("libx.so: failed to map segment from shared object"), MemoryError),
    ],
)
def test_errors_of_the_machine_are_recognized_whichever_runtime_reports_them(error, expected):
    fault = probe.machine_fault(error)
    if expected is MemoryError:
        assert isinstance(fault, MemoryError)
    else:
        assert isinstance(fault, OSError)
        assert fault.errno == expected


@pytest.mark.parametrize(
    "error",
    [
        OSError("Cannot parse file saved_model.pb"),
        FileNotFoundError(errno.ENOENT, "No such file"),
        ImportError("the export imports the project's module 'models'"),
        KeyError("serving_default"),
        tf.errors.NotFoundError(None, None, "Op type not registered"),
        tf.errors.NotFoundError(None, None, "m/variables.index; No such file or directory"),
        tf.errors.DataLossError(None, None, "truncated"),
        tf.errors.UnknownError(None, None, "KeyError: pyfunc_0"),
        Fail("Load model from m.onnx failed:Protobuf parsing failed."),
        RuntimeError("Op type not registered"),
        RuntimeException("Non-zero status code returned while running Add node"),
    ],
)
def test_errors_of_the_model_are_not_the_machines(error):
    assert probe.machine_fault(error) is None


@pytest.mark.slow
def test_a_runtime_that_cannot_be_imported_is_not_a_verdict(features, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "onnxruntime.py").write_text("import libonnxruntime_of_another_os")
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    message = reason(features, model="model.onnx")
    assert "No module named 'libonnxruntime_of_another_os'" in message
    assert "can import TensorFlow, ONNX Runtime and NumPy" in message


@pytest.mark.slow
def test_an_onnx_file_is_scored_without_tensorflow(tmp_path, stand_in, features):
    text = Path(probe.__file__).read_text()
    stand_in(
        text.replace(
            "        np.savez(scores_file",
            "        __import__('tensorflow')\n        np.savez(scores_file",
        )
    )
    verdict = score_in_fresh_process("no model.onnx", features, LIMITS)
    assert verdict.fault == ("ImportError: 'tensorflow' is imported to score with an ONNX file")


@pytest.mark.slow
def test_the_probe_cannot_import_the_project(tmp_path):
    code = (
        "import os, runpy, sys\n"
        "sys.argv = ['probe', 'no model', sys.argv[1], 'none', sys.argv[2]]\n"
        "runpy.run_path(os.environ['PROBE'], run_name='__main__')\n"
        "for package in ('models', 'formats', 'higgs', 'models.layers.dense'):\n"
        "    try:\n"
        "        __import__(package)\n"
        "    except ImportError as error:\n"
        "        print(error)\n"
    )
    np.savez(tmp_path / "input.npz", records=np.frombuffer(b"ab", "V1"))
    files = [str(tmp_path / name) for name in ("input.npz", "verdict.json")]
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, *files],
        env={"PROBE": probe.__file__},
        capture_output=True,
        text=True,
    )
    blocked = [line.rpartition(" ")[2] for line in done.stdout.splitlines()]
    assert blocked == ["'models'", "'formats'", "'higgs'", "'models'"]
    assert "SavedModel file does not exist" in (tmp_path / "verdict.json").read_text()


def test_the_settings_of_the_process_name_no_folder_that_depends_on_the_current_one(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(sys, "path", ["", "relative", "/absolute"])
    monkeypatch.chdir(tmp_path)
    command = probe_process._command(tmp_path, "/model", LIMITS)
    assert command[:2] == [sys.executable, "-I"]
    settings = (tmp_path / "settings.json").read_text()
    assert f'"path": ["{tmp_path}/relative", "/absolute"]' in settings
