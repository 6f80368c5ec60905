"""A training, read from what the Trainer left in its model run: ``training.json``.

Every key is optional: what an older or a newer Trainer does not write is unknown.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfx.dsl.io import fileio

FILE_NAME = "training.json"


@dataclass(frozen=True)
class Layer:
    """One layer of the network.

    Attributes:
      name: of the layer.
      part: ``wide``, ``deep`` or ``inputs``.
      kind: the layer's class.
      shape: of its output, without the batch.
      parameters: weights, trained or not.
    """

    name: str
    part: str
    kind: str
    shape: str
    parameters: int


@dataclass(frozen=True)
class Training:
    """One training.

    Attributes:
      facts: what is known of it, as read: ``seed``, ``precision``, ``seconds`` and so on.
      epochs: one mapping an epoch, of metrics by name.
      parameters: weights by part of the network: ``wide``, ``deep`` and ``total``.
      hyperparameters: by name.
      layers: of the network, or none where they were not written.
    """

    facts: Mapping[str, Any]
    epochs: Sequence[Mapping[str, float]]
    parameters: Mapping[str, int]
    hyperparameters: Mapping[str, Any]
    layers: tuple[Layer, ...]

    @property
    def epoch_kept(self) -> int | None:
        """The epoch whose weights the model has, from 1."""
        return self.facts.get("epoch_kept")

    @property
    def events_per_second(self) -> float | None:
        """Training events a second: as written, or the median over the epochs."""
        written = self.facts.get("events_per_second")
        rates = sorted(
            epoch["events_per_second"] for epoch in self.epochs if "events_per_second" in epoch
        )
        return written or (rates[len(rates) // 2] if rates else None)


def read_training(model_run: str) -> Training:
    """Reads ``training.json`` in a model run's folder."""
    with fileio.open(f"{model_run}/{FILE_NAME}", "r") as file:
        return parse_training(json.loads(file.read()))


def parse_training(facts: Mapping[str, Any]) -> Training:
    """A training from the content of ``training.json``."""
    return Training(
        facts=facts,
        epochs=facts.get("epochs") or (),
        parameters=facts.get("parameters") or {},
        hyperparameters=facts.get("hyperparameters") or {},
        layers=tuple(_layer(layer) for layer in facts.get("layers") or ()),
    )


def _layer(layer: Mapping[str, Any]) -> Layer:
    shape = layer.get("output_shape")
    sizes = shape if isinstance(shape, list | tuple) else [shape]
    return Layer(
        name=str(layer.get("name", "unknown")),
        part=str(layer.get("part", "deep")),
        kind=str(layer.get("kind", "unknown")),
        # The batch, which Keras writes as None, is no size of the network's.
        shape=" x ".join(str(size) for size in sizes if size is not None),
        parameters=int(layer.get("parameters") or 0),
    )
