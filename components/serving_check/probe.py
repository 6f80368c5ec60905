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
import json
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
    "pthread_create",
)
"""What the runtimes' errors that have no kind of their own say when memory runs out."""


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
    import numpy as np

    score = score_with_onnx_runtime if is_onnx else score_with_tensorflow
    fault = None
    with np.load(input_file) as data:
        arrays = dict(data)
    try:
        np.savez(scores_file, signal_probability=score(model, arrays))
    except Exception as error:
        if is_of_the_machine(error):
            raise
        fault = " ".join(f"{type(error).__name__}: {error}".split())
    Path(verdict_file).write_text(json.dumps({"fault": fault}), encoding="utf-8")


def score_with_tensorflow(model: str, arrays: dict[str, Any]) -> Any:
    """Scores records with the signature ``serving_default`` of a SavedModel: float32 [N, 1]."""
    # TensorFlow imports Keras where it can, in half of its time; a server has no Keras.
    sys.modules["keras"] = None  # type: ignore[assignment]
    import tensorflow as tf

    records = tf.constant([cell.tobytes() for cell in arrays["records"]])
    outputs = tf.saved_model.load(model).signatures["serving_default"](examples=records)
    return outputs["signal_probability"].numpy().astype("float32")


def score_with_onnx_runtime(model: str, arrays: dict[str, Any]) -> Any:
    """Scores features with an ONNX file on the CPU: float32 [N, 1]."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(["signal_probability"], {"features": arrays["features"]})[0]


def is_of_the_machine(error: Exception) -> bool:
    """Returns whether an error is not the model's fault: memory, disk, permissions, a signal."""
    tf = sys.modules.get("tensorflow")
    if tf and isinstance(error, tf.errors.OpError):
        return "Input/output error" in str(error) or isinstance(
            error,
            (
                tf.errors.AbortedError,
                tf.errors.CancelledError,
                tf.errors.DeadlineExceededError,
                tf.errors.PermissionDeniedError,
                tf.errors.ResourceExhaustedError,
                tf.errors.UnavailableError,
            ),
        )
    if isinstance(error, OSError):
        # TensorFlow raises it without a number for a file that is missing or cannot be parsed.
        return error.errno not in (None, errno.ENOENT, errno.EISDIR, errno.ENOTDIR)
    return lacks_memory(error)


def lacks_memory(error: Exception) -> bool:
    """Returns whether memory has run out, whichever runtime says so."""
    tf = sys.modules.get("tensorflow")
    if isinstance(error, MemoryError) or (
        tf and isinstance(error, tf.errors.ResourceExhaustedError)
    ):
        return True
    is_vague = isinstance(error, RuntimeError) or type(error).__module__.startswith("onnxruntime")
    return is_vague and any(sign in str(error) for sign in OUT_OF_MEMORY)


if __name__ == "__main__":
    main(*sys.argv[1:])
