"""Checkpoints of a training, from which it resumes after it was killed.

The optimizer, the network, the metrics by epoch and the weights to keep are one checkpoint, written
after each block of events and each epoch. ``tf.train.CheckpointManager`` names it in the file
``checkpoint`` once it is complete, on disks and object stores alike.
"""

import hashlib
import io
import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from formats.errors import one_line
from formats.locations import is_remote
from formats.source_version import modules_of, source_digest
from models.serving.saved_model import NamedWeights

log = logging.getLogger("higgs.trainer")

MANAGER_FILE = "checkpoint"
"""The file in which ``tf.train.CheckpointManager`` names the last complete checkpoint."""

REFIT_FOLDER = "refit"
"""Subfolder of a training's folder for the checkpoints of its second fit."""

EPOCH_NUMBER = 10**9
"""Offset between checkpoint numbers of consecutive epochs; more than the steps of any epoch."""

LayerWeights = Sequence[npt.NDArray[np.generic]]
"""The weights of a network in the order of ``get_weights``."""


class TrainingState(tf.train.experimental.PythonState):
    """State of a training, apart from the network and its optimizer.

    Attributes:
        epochs: metrics by finished epoch.
        step: number of finished steps of the epoch after those.
        metrics: weights of the metrics after these steps.
        kept_weights: the weights that the network would have if the training ended now.
    """

    def __init__(self) -> None:
        """Starts a training."""
        self.epochs: list[Mapping[str, float]] = []
        self.step = 0
        self.metrics: LayerWeights = []
        self.kept_weights: LayerWeights = []

    def serialize(self) -> bytes:
        """Returns the content of the checkpoint's entry, NumPy's ``.npz`` without pickles."""
        content = io.BytesIO()
        reached = {"epochs": self.epochs, "step": self.step, "metrics": len(self.metrics)}
        np.savez(content, json.dumps(reached).encode(), *self.metrics, *self.kept_weights)
        return content.getvalue()

    def deserialize(self, string_value: bytes) -> None:
        """Restores the state from the checkpoint's entry."""
        with np.load(io.BytesIO(string_value), allow_pickle=False) as arrays:
            text, *weights = (arrays[name] for name in arrays.files)
        reached = json.loads(text.item())
        self.epochs, self.step, metrics = reached["epochs"], reached["step"], reached["metrics"]
        self.metrics, self.kept_weights = weights[:metrics], weights[metrics:]


class Checkpoints:
    """The checkpoints of one training in a folder of its own; only the last one is kept."""

    def __init__(
        self, folder: str, network: tf_keras.Model, state: TrainingState, *, writes: bool = True
    ):
        """Prepares the checkpoints; must be called under the strategy.

        Args:
            folder: for this training alone; it need not exist.
            network: compiled; the optimizer's state is saved as well.
            state: saved and restored with the network.
            writes: whether this host is the one that writes. The others must save as well, because
                each host holds a part of some variables; they write to a temporary folder.
        """
        network.optimizer.build(network.trainable_variables)
        on_tpu = isinstance(tf.distribute.get_strategy(), tf.distribute.TPUStrategy)
        # A TPU's workers cannot write to the host's disk.
        self._options = tf.train.CheckpointOptions(
            experimental_io_device="/job:localhost" if on_tpu else None
        )
        self._state = state
        self._writes = writes
        self._checkpoint = tf.train.Checkpoint(
            network=network, optimizer=network.optimizer, state=state
        )
        self._last = find_checkpoint(folder, may_delete=writes)
        if writes and not is_remote(folder):
            # Only the training's user may change the files that it reads back.
            Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, folder if writes else tempfile.mkdtemp(), max_to_keep=1
        )

    def save(self) -> None:
        """Writes a checkpoint, then deletes the one before."""
        number = EPOCH_NUMBER * len(self._state.epochs) + self._state.step
        self._manager.save(number, options=self._options)
        if not self._writes:
            tf.io.gfile.rmtree(self._manager.directory)

    def restore(self) -> None:
        """Restores network, optimizer and state from the last checkpoint, if there is one."""
        if self._last:
            self._checkpoint.restore(self._last, self._options).assert_consumed()
            reached = len(self._state.epochs), self._state.step
            log.info("resumed after epoch %d and %d steps from %s", *reached, self._last)


def find_checkpoint(folder: str, *, may_delete: bool) -> str | None:
    """Finds the last checkpoint; one on a disk is read, and if it is damaged, there is none.

    TensorFlow does not sync what it writes, so a loss of power may leave parts of it, and restores
    a part before it notices.

    Args:
        folder: of the checkpoints of one training.
        may_delete: whether this host deletes what is damaged.

    Raises:
        tf.errors.OpError: the object store cannot be read.
        ValueError: the checkpoint in it cannot be read.
        OSError: the disk cannot be read, which does not mean that the checkpoint is damaged.
    """
    is_local = not is_remote(folder)
    try:
        path = tf.train.latest_checkpoint(folder)
        # TensorFlow ignores what it cannot read.
        if not path and tf.io.gfile.exists(f"{folder}/{MANAGER_FILE}"):
            raise ValueError(f"the file {MANAGER_FILE} cannot be read or names no checkpoint")
        if path and is_local:
            checkpoint = tf.train.load_checkpoint(path)
            for name in checkpoint.get_variable_to_shape_map():
                checkpoint.get_tensor(name)
    except (IndexError, ValueError, tf.errors.OpError) as error:
        if not is_local:
            raise
        for file in (Path(folder, MANAGER_FILE), *Path(folder).glob("ckpt-*")):
            with suppress(FileNotFoundError, IsADirectoryError):  # Another host may delete it.
                file.read_bytes()
        reason = one_line(error, 200)
        log.warning("damaged checkpoint in %s, training starts anew: %s", folder, reason)
        if may_delete:
            discard_checkpoints(folder)
        return None
    return str(path) if path else None


def checkpoint_folder(
    root: str, settings: Mapping[str, object], initial_weights: NamedWeights
) -> str:
    """Returns a folder that is different for everything that determines a training.

    That is the settings, the initial weights, the code and TensorFlow's version.

    Args:
        root: the folder that contains those of all trainings.
        settings: values that JSON can represent, with a fingerprint of the events among them.
        initial_weights: the weights of a warm start, by name.
    """
    code = source_digest([*modules_of("models"), *modules_of("formats")])
    determining = [settings, tf.__version__, tf_keras.__version__, code]
    digest = hashlib.sha256(json.dumps(determining, sort_keys=True).encode())
    for name in sorted(initial_weights):
        digest.update(f"{name}\n".encode())
        digest.update(np.ascontiguousarray(initial_weights[name]).tobytes())
    return f"{root}/{digest.hexdigest()[:16]}"


def discard_checkpoints(folder: str) -> None:
    """Deletes the checkpoints of a finished training.

    The managers' files are deleted first, so that no partly deleted checkpoint counts as complete.
    """
    for path in (f"{folder}/{REFIT_FOLDER}/{MANAGER_FILE}", f"{folder}/{MANAGER_FILE}"):
        if tf.io.gfile.isdir(path):
            tf.io.gfile.rmtree(path)
        elif tf.io.gfile.exists(path):
            tf.io.gfile.remove(path)
    if tf.io.gfile.exists(folder):
        tf.io.gfile.rmtree(folder)
