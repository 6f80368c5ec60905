"""Depth, width and regularisation by the number of training events (see docs/training.md)."""

import math
from collections.abc import Mapping
from typing import Any

from formats.hyperparameters import Hyperparameters


class SizedHyperparameters(Hyperparameters):
    """Hyperparameters of which none follows the number of events any more."""

    buckets: int
    units: int
    blocks: int
    dropout: float
    weight_decay: float
    batch_size_per_replica: int
    epochs: int
    trees: int
    tree_leaves: int


SIZES: tuple[tuple[float, Mapping[str, Any]], ...] = (
    (
        100_000,
        {
            "buckets": 12,
            "trees": 450,
            "tree_leaves": 24,
            "units": 256,
            "blocks": 2,
            "dropout": 0.3,
            "weight_decay": 0.5,
            "batch_size_per_replica": 256,
            "epochs": 20,
        },
    ),
    (
        3_000_000,
        {
            "buckets": 32,
            "trees": 600,
            "tree_leaves": 63,
            "units": 512,
            "blocks": 3,
            "dropout": 0.2,
            "weight_decay": 0.05,
            "batch_size_per_replica": 1024,
            "epochs": 20,
        },
    ),
    (
        math.inf,
        {
            "buckets": 64,
            "trees": 600,
            "tree_leaves": 63,
            "units": 1024,
            "blocks": 4,
            "dropout": 0.1,
            "weight_decay": 0.01,
            "batch_size_per_replica": 2048,
            "epochs": 20,
        },
    ),
)
"""Training events at most, and what the hyperparameters that are None come to.

Chosen at 30 thousand and 300 thousand events; the last goes on from there (docs/training.md).
"""


def sized(hyperparameters: Hyperparameters, events: int) -> SizedHyperparameters:
    """Fills in what is None for so many training events."""
    suggested = next(values for most, values in SIZES if events <= most)
    chosen = hyperparameters.model_dump(exclude_none=True)
    missing = {field: None for field in Hyperparameters.model_fields if field not in chosen}
    return SizedHyperparameters(**{**missing, **suggested, **chosen})
