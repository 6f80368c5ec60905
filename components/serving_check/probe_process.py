"""Scores records with an export in a confined process, and distinguishes verdicts from failures."""

import json
import os
import posixpath
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tfx.dsl.io import fileio
from tfx.utils import io_utils

from components.serving_check import confinement, probe
from formats.locations import is_remote
from formats.names import SIGNAL_PROBABILITY
from formats.published.record import Events, encode_records

STDERR_TAIL_BYTES = 65536

GIB = 2**30

OUT_OF_MEMORY = (
    *probe.OUT_OF_MEMORY,
    "MemoryError",
    "OOM when allocating",
)
"""What Python, the runtimes and the dynamic linker print when memory runs out."""


class ServingCheckError(RuntimeError):
    """The check itself failed, so that nothing is known about the export."""


@dataclass(frozen=True)
class Limits:
    """Limits of one check.

    Attributes:
        timeout_minutes: wall time from the start of the process to its scores.
        memory_gb: memory that the process may allocate, in units of 2**30 bytes.
    """

    timeout_minutes: int = 10
    memory_gb: int = 16


@dataclass(frozen=True)
class Verdict:
    """Result of loading and scoring an export.

    Attributes:
        fault: what is wrong with the export, or None.
        scores: signal probabilities, float32 [N, 1]; None if there is a fault.
        messages: what the process printed.
    """

    fault: str | None
    scores: npt.NDArray[np.float32] | None
    messages: str = ""


def score_in_fresh_process(
    model: str, features: npt.NDArray[np.float32], limits: Limits
) -> Verdict:
    """Loads an export in a process without the project's code, and scores events with it.

    The process runs on the CPU. It has neither network nor credentials in its environment, and it
    dies with this one.

    Args:
        model: folder of a SavedModel, or an ONNX file, local or remote.
        features: the events, float32 [N, 28]; a SavedModel gets them as records.
        limits: what the process may use.

    Raises:
        ServingCheckError: the process was killed, timed out, or failed for any reason other than
            the export; the message gives the cause and the remedy.
    """
    with tempfile.TemporaryDirectory(prefix="higgs-serving-check-") as name:
        folder = Path(name)
        if is_remote(model):  # the process has no network to read it with
            model = _copy(model, folder)
        records = encode_records(Events(features, np.zeros(len(features), np.float32)))
        # Records of this layout have one length; void cells keep their zero bytes.
        cells = np.frombuffer(b"".join(records), f"V{len(records[0])}")
        np.savez(folder / "input.npz", features=features, records=cells)
        code = _run(_command(folder, str(Path(model).absolute()), limits), folder, limits)
        messages = _tail(folder / "stderr.txt")
        if code:
            raise ServingCheckError(describe_end(code, messages, limits))
        verdict = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
        if verdict["fault"]:
            return Verdict(verdict["fault"], None, messages)
        with np.load(folder / "scores.npz", allow_pickle=False) as arrays:
            return Verdict(None, arrays[SIGNAL_PROBABILITY], messages)


def _copy(model: str, folder: Path) -> str:
    """Copies a remote model; one that is missing is left to the process to report."""
    copy = str(folder / posixpath.basename(model))
    if fileio.isdir(model):
        io_utils.copy_dir(model, copy)
    elif fileio.exists(model):
        io_utils.copy_file(model, copy)
    return copy


def _command(folder: Path, model: str, limits: Limits) -> list[str]:
    settings = {
        "parent": os.getpid(),
        # -I ignores PYTHONPATH and the user's own packages, from where this process may have
        # TensorFlow. An empty entry is the current folder, which holds no packages.
        "path": [str(Path(entry).absolute()) for entry in sys.path if entry],
        "memory_bytes": limits.memory_gb * GIB,
    }
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    files = [str(folder / name) for name in ("input.npz", "scores.npz", "verdict.json")]
    scripts = [confinement.__file__, str(folder / "settings.json"), probe.__file__]
    return [
        sys.executable,
        "-I",
        *(str(Path(script).absolute()) for script in scripts),
        model,
        *files,
    ]


def _run(command: list[str], folder: Path, limits: Limits) -> int:
    """Runs a command and returns its return code; however this ends, the process has ended."""
    with (folder / "stderr.txt").open("wb") as stderr:
        try:
            process = subprocess.Popen(  # noqa: S603 (our own scripts, paths of this run)
                command,
                cwd=folder,
                env=probe_environment(os.environ, str(folder)),
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
            )
        except OSError as error:
            raise ServingCheckError(
                f"{command[0]} could not be started to score with the export ({error}): run again "
                "with a Python that can be started; the model was not refused"
            ) from error
    try:
        return process.wait(60 * limits.timeout_minutes)
    except subprocess.TimeoutExpired:
        raise ServingCheckError(
            "the process that scores with the export was ended after "
            f"{limits.timeout_minutes} minutes, its time limit: run again when the machine is "
            "less busy, or raise serving_check.timeout_minutes; the model was not refused"
        ) from None
    finally:
        process.kill()
        process.wait()


def probe_environment(environment: Mapping[str, str], folder: str) -> dict[str, str]:
    """Selects the variables that the process may see; it works on the CPU and in ``folder``."""
    # This process may hold the GPU's whole memory, and a TPU belongs to one process only.
    own = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    return confinement.harmless_variables(environment) | own | {"HOME": folder, "TMPDIR": folder}


def describe_end(code: int, messages: str, limits: Limits) -> str:
    """Describes why a process ended without a verdict, with the remedy.

    Args:
        code: its return code as ``subprocess`` gives it, or as a shell does (128 + signal).
        messages: what it printed.
        limits: what it was allowed to use.
    """
    lines = messages.strip().splitlines()
    last = f" ({lines[-1].strip()})" if lines else ""
    number = -code if code < 0 else code - 128
    if number in set(signal.Signals):
        how = f"was killed by {signal.Signals(number).name}{last}"
    else:
        how = f"ended with exit status {code}{last}"
    return f"the process that scores with the export {how}: {_remedy(number, messages, limits)}"


def _remedy(number: int, messages: str, limits: Limits) -> str:
    if any(sign in messages for sign in OUT_OF_MEMORY):
        remedy = f"raise serving_check.memory_gb, now {limits.memory_gb}, or free memory"
    elif number == signal.SIGKILL:
        remedy = "the kernel does this when memory runs out; free memory"
    elif "ModuleNotFoundError" in messages or "ImportError" in messages:
        remedy = f"check that {sys.executable} can import TensorFlow, ONNX Runtime and NumPy"
    elif "No space left" in messages or "Disk quota exceeded" in messages:
        remedy = f"free disk space in {tempfile.gettempdir()}, or set TMPDIR to another folder"
    else:
        remedy = "the log has what it printed"
    return f"{remedy}, and run again; the model was not refused"


def _tail(file: Path) -> str:
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - STDERR_TAIL_BYTES))
        return stream.read().decode("utf-8", "replace")
