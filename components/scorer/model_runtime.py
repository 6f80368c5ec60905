"""Runtimes of exported models: TensorFlow for a SavedModel, ONNX Runtime for ``.onnx``.

Neither imports the other.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.serving_check.probe import ONNX_SUFFIX, machine_fault
from formats.errors import UserError, one_line
from formats.features import NUM_FEATURES
from formats.names import FEATURES_SIGNATURE, SAVED_MODEL_FILE, SIGNAL_PROBABILITY

Model = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Scores features, float32 [N, 28]; returns the probabilities, float32 [N]."""

ONNX_INPUT = "features"

_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")


class UnusableModelError(UserError, ValueError):
    """A file or folder is not a model that scores events, is damaged, or is not as recorded."""


@lru_cache(maxsize=1)
def loaded_model(path: str, sha256: str) -> Model:
    """Loads a model once per process; the digest distinguishes models at the same path."""
    del sha256
    return load_model(path)


def load_model(path: str) -> Model:
    """Loads a model.

    Args:
        path: a SavedModel's folder with the signature ``score_features``, or an ``.onnx`` file
            with the input ``features`` and the output ``signal_probability``.

    Returns:
        The model. It raises ``UnusableModelError`` if it cannot score an array of this shape.

    Raises:
        UnusableModelError: it is neither, or is damaged.
        MemoryError: memory has run out, whatever the runtime calls that. Scoring raises it too.
        OSError: the machine is at fault in another way.
    """
    run = _load_onnx(path) if path.endswith(ONNX_SUFFIX) else _load_saved_model(path)

    def score(features: NDArray[np.float32]) -> NDArray[np.float32]:
        with _described(path, f"score float32 {list(features.shape)}"):
            return np.ravel(np.asarray(run(features), np.float32))

    return score


def _load_onnx(path: str) -> Callable[[NDArray[np.float32]], Any]:
    import onnxruntime

    with _described(path, "be loaded as an ONNX model"):
        available = onnxruntime.get_available_providers()
        providers = [name for name in _PROVIDERS if name in available]
        session = onnxruntime.InferenceSession(path, providers=providers)
    inputs = {value.name: value for value in session.get_inputs()}
    outputs = [value.name for value in session.get_outputs()]
    if list(inputs) != [ONNX_INPUT] or SIGNAL_PROBABILITY not in outputs:
        raise UnusableModelError(
            f"{path} has the inputs {', '.join(inputs)} and the outputs {', '.join(outputs)}; the "
            f"input {ONNX_INPUT}, float32 [N, {NUM_FEATURES}], and the output "
            f"{SIGNAL_PROBABILITY} are required"
        )
    return lambda features: session.run([SIGNAL_PROBABILITY], {ONNX_INPUT: features})[0]


def _load_saved_model(path: str) -> Callable[[NDArray[np.float32]], Any]:
    # Before its import, which prints otherwise.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    with _described(path, "be loaded as a SavedModel"):
        loaded = tf.saved_model.load(path)
    signature = loaded.signatures.get(FEATURES_SIGNATURE)
    if signature is None:
        raise UnusableModelError(
            f"{path} has the signatures {', '.join(sorted(loaded.signatures)) or 'none'}; "
            f"{FEATURES_SIGNATURE} is required, which takes float32 [N, {NUM_FEATURES}]"
        )

    def run(features: NDArray[np.float32]) -> Any:
        # The signature alone would not keep the variables.
        assert loaded is not None
        return signature(features=tf.constant(features))[SIGNAL_PROBABILITY]

    return run


@contextmanager
def _described(path: str, action: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the runtimes raise errors of many kinds for damaged files
        if fault := machine_fault(error):
            if isinstance(fault, OSError) and fault.errno:
                fault.filename = fault.filename or path
            raise fault from (error if fault is not error else None)
        raise UnusableModelError(
            f"{path} cannot {action} ({type(error).__name__}: {one_line(error, 200)}). Give an "
            f"exported model: a folder with {SAVED_MODEL_FILE}, or a file that ends in "
            f"{ONNX_SUFFIX}"
        ) from error
