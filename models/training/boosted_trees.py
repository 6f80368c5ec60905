"""The forest: boosted oblivious trees, grown by CatBoost on the columns.

All nodes of one level of an oblivious tree compare the same column with the same border
(Prokhorenkova et al. 2018, arXiv:1706.09516). A leaf is a conjunction of these cuts. The leaves
that an event reaches, one per tree, are crossed features that the data selected, and the logit is
linear in them (He et al. 2014, doi:10.1145/2648584.2648589): in a wide-and-deep model they replace
hand-made crossed columns.
"""

import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from catboost import CatBoost, CatBoostError, Pool

from formats.throttle import Throttle
from models.event_table import Array, EventTable, InputDataError
from models.training.training_plan import SizedHyperparameters

log = logging.getLogger("higgs.trainer")

SECONDS_BETWEEN_LINES = 10.0

SETTINGS: Mapping[str, Any] = {
    "loss_function": "Logloss",
    "l2_leaf_reg": 20.0,
    "border_count": 64,
    "rsm": 0.15,
    "bootstrap_type": "Bernoulli",
    "subsample": 0.7,
    "boosting_type": "Plain",
    "nan_mode": "Forbidden",
    "allow_writing_files": False,
    "logging_level": "Silent",
}
"""CatBoost's settings that no hyperparameter determines. Its number of threads does not change the
trees."""


@dataclass(frozen=True)
class Forest:
    """Boosted oblivious trees of equal depth as arrays.

    An event reaches the leaf whose number has bit ``level`` set where the event's value of the
    level's column is above the level's border.

    Attributes:
        column: the column that a level compares, int32 [trees, depth].
        border: what it is compared with, float32 [trees, depth]; infinite for the levels that a
            tree does not need.
        weight: a leaf's contribution to the logit, float32 [trees, 2 ** depth].
        leaves: number of leaves of all trees.
        events: number of events on which the trees were grown.
    """

    column: npt.NDArray[np.int32]
    border: Array
    weight: Array
    leaves: int
    events: int


def grow_forest(events: EventTable, hyperparameters: SizedHyperparameters, seed: int) -> Forest:
    """Grows a forest on the first ``tree_events`` events.

    Args:
        events: a random sample of the training events, with columns as features.
        hyperparameters: with ``trees`` at least 1.
        seed: seed of the columns and events of each tree.

    Raises:
        InputDataError: all events are of one class, or no column varies.
    """
    sample = events[: hyperparameters.tree_events]
    log.info("growing %d trees on %s events", hyperparameters.trees, f"{len(sample):,}")
    booster = CatBoost(
        {
            **SETTINGS,
            "iterations": hyperparameters.trees,
            "depth": hyperparameters.tree_depth,
            "learning_rate": hyperparameters.tree_learning_rate,
            "random_seed": seed,
        }
    )
    try:
        booster.fit(
            Pool(sample.features, sample.labels[:, 0]),
            callbacks=[_Progress(hyperparameters.trees)],
        )
    except CatBoostError as error:
        reason = str(error).rpartition(": ")[2]
        raise InputDataError(
            f"no trees can be grown on {len(sample)} events: {reason}: give events of both classes "
            "whose columns differ, or set trainer.trees to 0"
        ) from None
    return to_forest(_model(booster), len(sample))


class _Progress:
    """A callback of CatBoost that logs a line every few seconds."""

    def __init__(self, trees: int):
        self._trees = trees
        self._throttle = Throttle(SECONDS_BETWEEN_LINES)
        self._throttle.restart()

    def after_iteration(self, state: Any) -> bool:
        """Logs the number of trees; returns whether to grow more."""
        if self._throttle.is_due():
            log.info("tree %d/%d", state.iteration, self._trees)
        return True


def _model(booster: CatBoost) -> dict[str, Any]:
    """Exports the trees in CatBoost's JSON, the only form that is documented."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.json")
        booster.save_model(str(path), format="json")
        model: dict[str, Any] = json.loads(path.read_bytes())
    return model


def to_forest(model: Mapping[str, Any], events: int) -> Forest:
    """Converts trees in CatBoost's JSON to arrays.

    Args:
        model: oblivious trees over columns of floats, in their order.
        events: number of events on which the trees were grown.
    """
    trees = model["oblivious_trees"]
    scale, (bias,) = model["scale_and_bias"]
    depth = max(1, *(len(_cuts(tree)) for tree in trees))
    forest = Forest(
        column=np.zeros([len(trees), depth], np.int32),
        border=np.full([len(trees), depth], np.inf, np.float32),
        weight=np.zeros([len(trees), 2**depth], np.float32),
        leaves=sum(len(tree["leaf_values"]) for tree in trees),
        events=events,
    )
    for index, tree in enumerate(trees):
        for level, cut in enumerate(_cuts(tree)):
            forest.column[index, level] = cut["float_feature_index"]
            # CatBoost's borders are float32, whose decimal form is read without a change.
            forest.border[index, level] = cut["border"]
        forest.weight[index, : len(tree["leaf_values"])] = scale * np.array(tree["leaf_values"])
    forest.weight[0] += bias
    return forest


def _cuts(tree: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the cuts of a tree, one per level; none if the tree is a single leaf."""
    return tree.get("splits") or []
