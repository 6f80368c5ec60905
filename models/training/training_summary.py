"""What a training leaves behind as data: ``training.json`` in the model run's folder."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from models.network import LOGITS, OUTPUT
from models.training.boosted_trees import Forest
from models.training.model_fit import Fitted
from models.training.strategy import Hardware

FILE_NAME = "training.json"

PARTS = {
    **dict.fromkeys(("columns", "normalization", "clip", "inputs"), "inputs"),
    **dict.fromkeys(("buckets", "wide"), "wide"),
    **dict.fromkeys((LOGITS, OUTPUT), "output"),
}
"""The part of the network that a layer belongs to; one that is not named here is deep."""


@dataclass(frozen=True)
class TrainingRecord:
    """One training, in plain data; the attributes are the keys of ``training.json``.

    Attributes:
      seed: what weights, dropout and shuffling were drawn from.
      strategy: ``kind``, ``replicas`` and ``devices`` that it ran on.
      precision: Keras' policy of the deep blocks, such as ``mixed_bfloat16``.
      hyperparameters: every one by name, sized.
      parameters: weights of the served model, counted as ``wide`` (linear weights, buckets and
        the trees' leaves), ``deep`` and ``total``.
      layers: the network's, in order: ``name``, ``kind``, ``part`` (``inputs``, ``wide``, ``deep``
        or ``output``), ``output_shape`` without the events, ``parameters``.
      trees: ``trees``, ``leaves`` and the ``events`` they were grown on; null without any.
      blend: what the logits of ``network`` and ``leaves`` are multiplied by, and the ``bias``; null
        without trees.
      events: number of events by split, ``train`` and ``eval``.
      batch_size: events a step, over all replicas.
      steps_per_epoch: steps an epoch; what fills no batch is left out of that epoch.
      peak_learning_rate: the highest learning rate.
      epochs: one mapping an epoch: ``epoch`` (from 1), ``loss``, ``auc``,
        ``binary_accuracy``, the same with ``val_`` before, ``learning_rate`` at its end,
        ``seconds`` (training and validation) and ``events_per_second`` (training only).
      epoch_kept: the epoch whose weights the model has.
      resumed_at: the last epoch that an earlier, killed training had finished; 0 without one.
      warm_start: weights that were taken from an earlier model.
      events_per_second: the median over the epochs.
      seconds: wall time of all epochs, the first with its compilation.
    """

    seed: int
    strategy: Hardware
    precision: str
    hyperparameters: Mapping[str, Any]
    parameters: Mapping[str, int]
    layers: Sequence[Mapping[str, Any]]
    trees: Mapping[str, int] | None
    blend: Mapping[str, float] | None
    events: Mapping[str, int]
    batch_size: int
    steps_per_epoch: int
    peak_learning_rate: float
    epochs: Sequence[Mapping[str, float]]
    epoch_kept: int
    resumed_at: int
    warm_start: Sequence[str]
    events_per_second: float
    seconds: float

    def write(self, folder: str) -> None:
        """Writes ``training.json`` into an existing folder."""
        with tf.io.gfile.GFile(f"{folder}/{FILE_NAME}", "w") as file:
            file.write(json.dumps(dataclasses.asdict(self), indent=2, allow_nan=False) + "\n")


def describe(fitted: Fitted) -> TrainingRecord:
    """The record of a fit."""
    trained, plan = fitted.trained, fitted.trained.plan
    layers = layers_of(fitted.network)
    return TrainingRecord(
        seed=plan.seed,
        strategy=plan.hardware,
        precision=plan.policy,
        hyperparameters=plan.hyperparameters.model_dump(),
        parameters=count_parameters(layers, fitted.forest),
        layers=layers,
        trees=_trees(fitted.forest),
        blend=dataclasses.asdict(fitted.blend) if fitted.blend else None,
        events=fitted.events,
        batch_size=plan.batch_size,
        steps_per_epoch=plan.steps,
        peak_learning_rate=plan.peak,
        epochs=trained.epochs,
        epoch_kept=trained.epoch_kept,
        resumed_at=trained.resumed_at,
        warm_start=trained.warm_start,
        events_per_second=float(np.median([e["events_per_second"] for e in trained.epochs])),
        seconds=sum(epoch["seconds"] for epoch in trained.epochs),
    )


def layers_of(network: tf_keras.Model) -> list[dict[str, Any]]:
    """The layers of a network: name, kind, part, shape of an event's output, and weights."""
    return [
        {
            "name": layer.name,
            "kind": type(layer).__name__,
            "part": PARTS.get(layer.name, "deep"),
            "output_shape": list(layer.output.shape[1:]),
            "parameters": _count(layer),
        }
        for layer in network.layers
    ]


def count_parameters(
    layers: Sequence[Mapping[str, Any]], forest: Forest | None = None
) -> dict[str, int]:
    """Counts the weights that score, trained or not: ``wide``, ``deep`` and ``total``."""
    wide, deep = (
        sum(layer["parameters"] for layer in layers if layer["part"] == part)
        for part in ("wide", "deep")
    )
    wide += 0 if forest is None else forest.leaves
    return {"wide": wide, "deep": deep, "total": wide + deep}


def _count(layer: tf_keras.layers.Layer) -> int:
    # Whole numbers count steps.
    return sum(int(np.prod(weight.shape)) for weight in layer.weights if weight.dtype.is_floating)


def _trees(forest: Forest | None) -> dict[str, int] | None:
    if forest is None:
        return None
    return {"trees": len(forest.column), "leaves": forest.leaves, "events": forest.events}
