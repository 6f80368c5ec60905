"""Script that scores events with an export as a server would, without this project.

Usage: python -I probe.py MODEL INPUT.npz SCORES.npz VERDICT.json

MODEL is the folder of a SavedModel, or an ONNX file, which is scored without TensorFlow. Importing
what the runtime must not need raises, so an export that needs it fails; this script therefore
spells out the names of signatures, inputs and outputs. The input holds the same events as
``records``, one serialized example per cell, and as ``features``, float32 [N, 28]; the output holds
``signal_probability``. The verdict holds ``fault``: what is wrong with the export, or null. If
this script ends without a verdict, the fault is not the export's but that of the machine, the
environment or a limit.
"""

import errno
import importlib
import json
import os
import re
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

ONNX_SUFFIX = ".onnx"

PROJECT = ("components", "configs", "formats", "higgs", "kubeflow", "models", "pipeline")

TENSORFLOW = ("keras", "tensorflow", "tf2onnx", "tf_keras")

OUT_OF_MEMORY = (
    "bad_alloc",
    "bad allocation",
    "Cannot allocate memory",
    "Could not allocate",
    "Failed to allocate memory",
    "can't start new thread",
    "failed to map segment",
    "pthread_create",
    # On a GPU.
    "ALLOC_FAILED",
    "CUDA_ERROR_OUT_OF_MEMORY",
    "Dst tensor is not initialized",
    "out of memory",
)
"""What the runtimes' errors of any kind say when memory runs out."""

FAULTS_OF_THE_MODEL = (errno.ENOENT, errno.EISDIR, errno.ENOTDIR)
"""System errors of a model that lacks a file."""


class _Refused(MetaPathFinder):
    def __init__(self, packages: tuple[str, ...]):
        self._packages = packages

    def find_spec(self, name: str, *_: Any) -> None:
        if name.split(".")[0] in PROJECT:
            raise ImportError(f"the export imports the project's module {name!r}")
        if name.split(".")[0] in self._packages:
            raise ImportError(f"{name!r} is imported to score with an ONNX file")


def main(model: str, input_file: str, scores_file: str, verdict_file: str) -> None:
    """Loads ``model``, scores the events, and writes the scores and the verdict."""
    is_onnx = model.endswith(ONNX_SUFFIX)
    sys.meta_path.insert(0, _Refused(TENSORFLOW if is_onnx else ()))
    if not is_onnx:
        # TensorFlow imports Keras where it can, in half of its time; a server has no Keras.
        sys.modules["keras"] = None  # type: ignore[assignment]
    # Outside the try block: a runtime that cannot be imported is not the export's fault.
    importlib.import_module("onnxruntime" if is_onnx else "tensorflow")
    import numpy as np

    score = score_with_onnx_runtime if is_onnx else score_with_tensorflow
    fault = None
    with np.load(input_file) as data:
        arrays = dict(data)
    try:
        np.savez(scores_file, signal_probability=score(model, arrays))
    except Exception as error:
        if machine_fault(error):
            raise
        fault = " ".join(f"{type(error).__name__}: {error}".split())
    Path(verdict_file).write_text(json.dumps({"fault": fault}), encoding="utf-8")


def score_with_tensorflow(model: str, arrays: dict[str, Any]) -> Any:
    """Scores records with the signature ``serving_default`` of a SavedModel: float32 [N, 1]."""
    import tensorflow as tf

    records = tf.constant([cell.tobytes() for cell in arrays["records"]])
    outputs = tf.saved_model.load(model).signatures["serving_default"](examples=records)
    return outputs["signal_probability"].numpy().astype("float32")


def score_with_onnx_runtime(model: str, arrays: dict[str, Any]) -> Any:
    """Scores features with an ONNX file on the CPU: float32 [N, 1]."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(["signal_probability"], {"features": arrays["features"]})[0]


def machine_fault(error: BaseException) -> OSError | MemoryError | None:
    """Returns the error of the system that a runtime has met; None if the model is at fault.

    The runtimes give most of them a kind of their own, with the system's number or text.
    """
    text = str(error)
    if isinstance(error, MemoryError) or any(sign in text for sign in OUT_OF_MEMORY):
        return MemoryError(text)
    if isinstance(error, OSError):
        # TensorFlow raises it without a number for a file that is missing or cannot be parsed.
        return None if error.errno in (None, *FAULTS_OF_THE_MODEL) else error
    tf = sys.modules.get("tensorflow")
    is_of_tensorflow = bool(tf and isinstance(error, tf.errors.OpError))
    if not (is_of_tensorflow or type(error).__module__.startswith("onnxruntime")):
        return None
    if number := _system_number(text):
        return None if number in FAULTS_OF_THE_MODEL else OSError(number, os.strerror(number))
    if tf and isinstance(error, tf.errors.ResourceExhaustedError):
        return MemoryError(text)
    if tf and isinstance(
        error,
        (
            tf.errors.AbortedError,
            tf.errors.CancelledError,
            tf.errors.DeadlineExceededError,
            tf.errors.PermissionDeniedError,
            tf.errors.UnavailableError,
        ),
    ):
        return OSError(text)
    return None


def _system_number(text: str) -> int | None:
    """Finds the number of a system error that ONNX Runtime gives, or TensorFlow in words."""
    if number := re.search(r"system error number (\d+)", text):
        return int(number[1])
    return next((n for n in errno.errorcode if f"; {os.strerror(n)}" in text), None)


if __name__ == "__main__":
    main(*sys.argv[1:])
