"""Script that scores records with an export as a server would, without this project.

Usage: python -I probe.py SAVED_MODEL RECORDS.npz SCORES.npz VERDICT.json

Importing the project's code raises, so an export that needs it fails; this script therefore
spells out the names of the signature and its output. The input holds the array ``records``, one
serialized example per cell; the output holds ``signal_probability``. The verdict holds ``fault``:
what is wrong with the export, or null. If this script ends without a verdict, something else than
the export is at fault: the machine, the environment or a limit.
"""

import errno
import json
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

PROJECT = ("components", "configs", "formats", "higgs", "kubeflow", "models", "pipeline")


class _NoProjectCode(MetaPathFinder):
    def find_spec(self, name: str, *_: Any) -> None:
        if name.split(".")[0] in PROJECT:
            raise ImportError(f"the export imports the project's module {name!r}")


def main(model: str, records_file: str, scores_file: str, verdict_file: str) -> None:
    """Loads ``model``, scores the records, and writes the scores and the verdict."""
    sys.meta_path.insert(0, _NoProjectCode())
    # TensorFlow imports Keras where it can, in half of its time; a server has no Keras.
    sys.modules["keras"] = None  # type: ignore[assignment]
    import numpy as np
    import tensorflow as tf

    with np.load(records_file) as data:
        records = [cell.tobytes() for cell in data["records"]]
    fault = None
    try:
        serve = tf.saved_model.load(model).signatures["serving_default"]
        outputs = serve(examples=tf.constant(records))
        scores = np.asarray(outputs["signal_probability"].numpy(), np.float32)
        np.savez(scores_file, signal_probability=scores)
    except Exception as error:
        if is_of_the_machine(error):
            raise
        fault = " ".join(f"{type(error).__name__}: {error}".split())
    Path(verdict_file).write_text(json.dumps({"fault": fault}), encoding="utf-8")


def is_of_the_machine(error: Exception) -> bool:
    """Tells whether an error says nothing about the model: memory, disk, permissions, a signal."""
    import tensorflow as tf

    if isinstance(error, tf.errors.OpError):
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
    return isinstance(error, MemoryError)


if __name__ == "__main__":
    main(*sys.argv[1:])
