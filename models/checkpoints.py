"""A training's state on disk after each epoch, for one that was killed to go on from.

Each epoch's state is written aside and renamed, so what is there is whole; the older one goes
afterwards.
"""

import hashlib
import io
import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from models.input_data import Events

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
        older = self._finished()
        path = f"{self._folder}/{len(saved.epochs):06d}"
        aside = f"{path}.partial"
        if tf.io.gfile.exists(aside):
            tf.io.gfile.rmtree(aside)
        tf.io.gfile.makedirs(aside)
        self._state.write(f"{aside}/{STATE_FILE}", self._options)
        content = io.BytesIO()
        np.savez(content, *saved.kept)
        _write(f"{aside}/{KEPT_FILE}", content.getvalue())
        _write(f"{aside}/{EPOCHS_FILE}", json.dumps(list(saved.epochs)).encode())
        tf.io.gfile.rename(aside, path)
        for epoch in older:
            tf.io.gfile.rmtree(f"{self._folder}/{epoch}")

    def restore(self) -> Saved | None:
        """Puts network and optimizer back to the last state; None where there is none."""
        finished = self._finished()
        if not finished:
            return None
        path = f"{self._folder}/{finished[-1]}"
        self._state.read(f"{path}/{STATE_FILE}", self._options).assert_consumed()
        with tf.io.gfile.GFile(f"{path}/{EPOCHS_FILE}") as file:
            epochs = json.loads(file.read())
        with tf.io.gfile.GFile(f"{path}/{KEPT_FILE}", "rb") as file:
            arrays = np.load(io.BytesIO(file.read()))
            kept = [arrays[name] for name in arrays.files]
        log.info("resumed after epoch %d from %s", len(epochs), path)
        return Saved(epochs, kept)

    def _finished(self) -> list[str]:
        if not tf.io.gfile.exists(self._folder):
            return []
        names = (name.rstrip("/") for name in tf.io.gfile.listdir(self._folder))
        return sorted(name for name in names if name.isdigit())


def training_folder(root: str, settings: Mapping[str, object], *splits: Events) -> str:
    """A folder for the states of one training: the same for the same settings and events.

    Args:
      root: where such folders are.
      settings: all that decides about the training, of JSON's types.
      splits: the events of training and validation.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for events in splits:
        for array in (events.features, events.labels):
            digest.update(np.ascontiguousarray(array).data)
    return f"{root}/{digest.hexdigest()[:16]}"


def discard(folder: str) -> None:
    """Removes the states of a training that is finished."""
    if tf.io.gfile.exists(folder):
        tf.io.gfile.rmtree(folder)


def _write(path: str, content: bytes) -> None:
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(content)
