"""What a training leaves behind as data: ``training.json`` in the model run's folder."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from models.strategy import Hardware

FILE_NAME = "training.json"


@dataclass(frozen=True)
class TrainingRecord:
    """One training, in plain data; the attributes are the keys of ``training.json``.

    Attributes:
      seed: what weights, dropout and shuffling were drawn from.
      strategy: ``kind``, ``replicas`` and ``devices`` that it ran on.
      hyperparameters: every one by name.
      parameters: trained and untrained weights, counted as ``wide``, ``deep`` (all
        that is not wide) and ``total``.
      events: number of events by split, ``train`` and ``eval``.
      batch_size: events a step, over all replicas.
      steps_per_epoch: steps an epoch; what fills no batch is left out of that epoch.
      epochs: one mapping an epoch: ``epoch`` (from 1), ``loss``, ``auc``,
        ``binary_accuracy``, the same with ``val_`` before, ``learning_rate``,
        ``seconds`` (training and validation) and ``events_per_second`` (training only).
      epoch_kept: the epoch whose weights the model has.
      seconds: wall time of all epochs, the first with its compilation.
    """

    seed: int
    strategy: Hardware
    hyperparameters: Mapping[str, Any]
    parameters: Mapping[str, int]
    events: Mapping[str, int]
    batch_size: int
    steps_per_epoch: int
    epochs: Sequence[Mapping[str, float]]
    epoch_kept: int
    seconds: float

    def write(self, folder: str) -> None:
        """Writes ``training.json`` into an existing folder."""
        with tf.io.gfile.GFile(f"{folder}/{FILE_NAME}", "w") as file:
            file.write(json.dumps(dataclasses.asdict(self), indent=2, allow_nan=False) + "\n")


def by_epoch(history: Mapping[str, Sequence[float]]) -> list[dict[str, float]]:
    """Turns Keras' history, a list a metric, into a mapping an epoch."""
    names = {"lr": "learning_rate"}
    epochs = zip(*history.values(), strict=True)
    return [
        {"epoch": number}
        | {names.get(key, key): float(value) for key, value in zip(history, values, strict=True)}
        for number, values in enumerate(epochs, start=1)
    ]
