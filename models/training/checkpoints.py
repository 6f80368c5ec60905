"""A training's state on disk after each epoch, for one that was killed to go on from.

A state is a folder whose last file, put there whole, says that the others are: object stores
rename no folder at once. The older state goes afterwards.
"""

import hashlib
import io
import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from models.event_table import Events

log = logging.getLogger("higgs.trainer")

EPOCHS_FILE, KEPT_FILE, STATE_FILE = "epochs.json", "kept.npz", "state"

Weights = list[npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Saved:
    """What a training had come to, the network and its optimizer aside.

    Attributes:
      epochs: metrics by epoch.
      kept: the weights that would be kept if it ended here.
    """

    epochs: Sequence[Mapping[str, float]]
    kept: Weights


class Checkpoints:
    """The states of one training in a folder of its own."""

    def __init__(self, folder: str, network: tf_keras.Model, *, writes: bool = True):
        """Construct, under the strategy.

        Args:
          folder: of this training alone; it need not exist.
          network: compiled; its optimizer's state is kept too.
          writes: whether this host is the one that writes.
        """
        self._folder = folder
        self._writes = writes
        on_tpu = isinstance(tf.distribute.get_strategy(), tf.distribute.TPUStrategy)
        # A TPU's workers cannot write to the host's disk.
        self._options = tf.train.CheckpointOptions(
            experimental_io_device="/job:localhost" if on_tpu else None
        )
        network.optimizer.build(network.trainable_variables)
        self._state = tf.train.Checkpoint(network=network, optimizer=network.optimizer)

    def save(self, saved: Saved) -> None:
        """Writes the state after an epoch, then drops the older one."""
        if not self._writes:
            # Hosts gather what each holds a part of, so that all must take part.
            with tempfile.TemporaryDirectory() as nowhere:
                self._state.write(f"{nowhere}/{STATE_FILE}", self._options)
            return
        path = f"{self._folder}/{len(saved.epochs):06d}"
        discard(path)
        older = self._states()
        tf.io.gfile.makedirs(path)
        self._state.write(f"{path}/{STATE_FILE}", self._options)
        content = io.BytesIO()
        np.savez(content, *saved.kept)
        _write(f"{path}/{KEPT_FILE}", content.getvalue())
        aside = f"{path}/{EPOCHS_FILE}.partial"
        _write(aside, json.dumps(list(saved.epochs)).encode())
        tf.io.gfile.rename(aside, f"{path}/{EPOCHS_FILE}")
        for state in older:
            discard(state)

    def restore(self) -> Saved | None:
        """Puts network and optimizer back to the last state; None where there is none."""
        finished = [path for path in self._states() if tf.io.gfile.exists(f"{path}/{EPOCHS_FILE}")]
        if not finished:
            return None
        path = finished[-1]
        self._state.read(f"{path}/{STATE_FILE}", self._options).assert_consumed()
        with tf.io.gfile.GFile(f"{path}/{EPOCHS_FILE}") as file:
            epochs = json.loads(file.read())
        with tf.io.gfile.GFile(f"{path}/{KEPT_FILE}", "rb") as file:
            arrays = np.load(io.BytesIO(file.read()))
            kept = [arrays[name] for name in arrays.files]
        log.info("resumed after epoch %d from %s", len(epochs), path)
        return Saved(epochs, kept)

    def _states(self) -> list[str]:
        """The states' folders by epoch, finished ones and others."""
        if not tf.io.gfile.exists(self._folder):
            return []
        names = (name.rstrip("/") for name in tf.io.gfile.listdir(self._folder))
        return [f"{self._folder}/{name}" for name in sorted(names) if name.isdigit()]


def training_folder(
    root: str, settings: Mapping[str, object], beginning: Mapping[str, Any], *splits: Events
) -> str:
    """A folder for the states of one training: another one for whatever else decides about it.

    The code of this package is among that, and TensorFlow's version: another network could not
    take the state up.

    Args:
      root: where such folders are.
      settings: of the training, of JSON's types.
      beginning: the weights to begin with, by name.
      splits: the events of training and validation.
    """
    made_by = [settings, tf.__version__, tf_keras.__version__]
    digest = hashlib.sha256(json.dumps(made_by, sort_keys=True).encode())
    package = Path(__file__).parent
    for file in sorted(package.rglob("*.py")):
        digest.update(f"{file.relative_to(package)}\n".encode())
        digest.update(file.read_bytes())
    for name in sorted(beginning):
        digest.update(f"{name}\n".encode())
        digest.update(np.ascontiguousarray(beginning[name]).tobytes())
    for events in splits:
        for array in (events.features, events.labels):
            digest.update(np.ascontiguousarray(array).tobytes())
    return f"{root}/{digest.hexdigest()[:16]}"


def discard(folder: str) -> None:
    """Removes a state, or all of a training that is finished; none passes for whole meanwhile."""
    for states in (folder, f"{folder}/*"):
        for last_file in tf.io.gfile.glob(f"{states}/{EPOCHS_FILE}"):
            tf.io.gfile.remove(last_file)
    if tf.io.gfile.exists(folder):
        tf.io.gfile.rmtree(folder)


def _write(path: str, content: bytes) -> None:
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(content)
