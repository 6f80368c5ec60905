"""A training, read from what the Trainer left in its model run: ``training.json``.

Every key is optional: what an older or a newer Trainer does not write is unknown, and so is what
is of another kind than expected.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfx.dsl.io import fileio

FILE_NAME = "training.json"

LARGEST = 1e300
"""No number of a training is larger."""

KINDS: Mapping[str, type] = {
    "seed": float,
    "strategy": dict,
    "precision": str,
    "hyperparameters": dict,
    "parameters": dict,
    "layers": list,
    "trees": dict,
    "blend": dict,
    "batch_size": float,
    "steps_per_epoch": float,
    "epochs": list,
    "epoch_kept": float,
    "resumed_at": float,
    "warm_start": list,
    "events_per_second": float,
    "seconds": float,
}
"""What the report asks for, and of which kind it is: ``float`` stands for any number."""


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
      facts: what is known of it, as read: ``seed``, ``precision``, ``seconds`` and so on; of the
        kinds in ``KINDS``.
      epochs: one mapping an epoch, of metrics by name; ``epoch`` is its number, from 1. A value
        that was none is NaN.
      parameters: weights by part of the network: ``wide``, ``deep`` and ``total``.
      hyperparameters: by name.
      layers: of the network, or none where they were not written.
      unexpected: names of what was written and is of another kind than expected.
    """

    facts: Mapping[str, Any]
    epochs: Sequence[Mapping[str, float]]
    parameters: Mapping[str, int]
    hyperparameters: Mapping[str, Any]
    layers: tuple[Layer, ...]
    unexpected: tuple[str, ...] = ()

    @property
    def epoch_kept(self) -> int | None:
        """The epoch whose weights the model has, from 1."""
        return self.facts.get("epoch_kept")

    @property
    def events_per_second(self) -> float | None:
        """Training events a second: as written, or the median over the epochs."""
        written = self.facts.get("events_per_second")
        rates = sorted(
            rate for epoch in self.epochs if not math.isnan(rate := _rate(epoch)) and rate > 0
        )
        return written or (rates[len(rates) // 2] if rates else None)

    def has_measured(self, metric: str) -> bool:
        """Whether any epoch has a value of a metric."""
        return any(not math.isnan(epoch.get(metric, math.nan)) for epoch in self.epochs)


def read_training(model_run: str) -> Training:
    """Reads ``training.json`` in a model run's folder.

    Raises:
      ValueError: it is no JSON, or holds no names and values.
    """
    with fileio.open(f"{model_run}/{FILE_NAME}", "r") as file:
        return parse_training(json.loads(file.read()))


def parse_training(content: Any) -> Training:
    """A training from the content of ``training.json``.

    Raises:
      ValueError: the content is no mapping.
    """
    if not isinstance(content, dict):
        raise ValueError(f"{FILE_NAME}: expected names and values, got {str(content)[:80]}")
    written = {name: value for name, value in content.items() if value is not None}
    facts = {
        name: value
        for name, value in written.items()
        if name not in KINDS or _is_of_kind(value, KINDS[name])
    }
    facts |= {name: _numbers(facts[name]) for name in ("trees", "blend") if name in facts}
    return Training(
        facts=facts,
        epochs=_epochs(facts.get("epochs", ())),
        parameters=_numbers(facts.get("parameters", {})),
        hyperparameters=facts.get("hyperparameters", {}),
        layers=tuple(_layer(layer) for layer in facts.get("layers", ()) if isinstance(layer, dict)),
        unexpected=tuple(name for name in written if name not in facts),
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def _is_of_kind(value: Any, kind: type) -> bool:
    return _is_number(value) if kind is float else isinstance(value, kind)


def _numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if _is_number(value)}


def _epochs(written: Sequence[Any]) -> tuple[Mapping[str, float], ...]:
    """The epochs; one without a number has that of its place."""
    return tuple(
        {"epoch": place}
        | {
            name: value if _is_number(value) else math.nan
            for name, value in epoch.items()
            if name != "epoch" or _is_number(value)
        }
        for place, epoch in enumerate(written, start=1)
        if isinstance(epoch, dict)
    )


def _rate(epoch: Mapping[str, float]) -> float:
    return epoch.get("events_per_second", math.nan)


def _layer(layer: Mapping[str, Any]) -> Layer:
    shape, parameters = layer.get("output_shape"), layer.get("parameters")
    sizes = shape if isinstance(shape, list | tuple) else [shape]
    return Layer(
        name=str(layer.get("name", "unknown")),
        part=str(layer.get("part", "deep")),
        kind=str(layer.get("kind", "unknown")),
        # The batch, which Keras writes as None, is no size of the network's.
        shape=" x ".join(str(size) for size in sizes if size is not None),
        parameters=int(parameters) if _is_number(parameters) and parameters else 0,
    )
