"""Boosted trees, whose leaves are the wide part's crossed columns.

A leaf is a conjunction of cuts, so which leaf of each tree an event ends in is a set of crossed
features that the data chose, and the score is linear in them (He et al. 2014,
doi:10.1145/2648584.2648589). LightGBM grows the trees and fits the leaves' weights.
"""

import logging
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.event_table import Array, Events
from models.training.sizing import SizedHyperparameters

try:
    import lightgbm as lgb
except OSError as error:
    raise ImportError(
        f"LightGBM cannot be loaded ({error}): it needs the OpenMP runtime of the system; "
        "on Debian and Ubuntu, apt-get install libgomp1"
    ) from error

log = logging.getLogger("higgs.trainer")

MAX_DEPTH = 12
"""What a look-up of a leaf takes at most, in every tree at once."""

SECONDS_BETWEEN_LINES = 10.0


@dataclass(frozen=True)
class Forest:
    """Grown trees as arrays, every tree filled up to the largest one's nodes.

    Attributes:
      column: the column a node cuts on, int32 [trees, nodes].
      threshold: an event goes left when its value is at most this, float32 [trees, nodes].
      children: left and right node of the same tree, int32 [trees, nodes, 2]; a leaf's are itself.
      weight: a leaf's share in the logit, float32 [trees, nodes]; 0 for other nodes.
      depth: cuts to the deepest leaf.
      leaves: of all trees, the number of their weights.
      events: that the trees were grown on.
    """

    column: npt.NDArray[np.int32]
    threshold: Array
    children: npt.NDArray[np.int32]
    weight: Array
    depth: int
    leaves: int
    events: int


def grow(events: Events, hyperparameters: SizedHyperparameters, seed: int) -> Forest:
    """Grows a forest on at most ``tree_events`` of the training events.

    Args:
      events: with the columns as features.
      hyperparameters: with ``trees`` at least 1.
      seed: of the choice of events, and of columns and events by tree.
    """
    chosen = _choose(events, hyperparameters.tree_events, seed)
    log.info("growing %d trees on %d events", hyperparameters.trees, len(chosen))
    booster = lgb.train(
        _parameters(hyperparameters, len(chosen), seed),
        lgb.Dataset(chosen.features, chosen.labels[:, 0]),
        hyperparameters.trees,
        callbacks=[_Lines(hyperparameters.trees)],
    )
    return to_forest(booster.dump_model()["tree_info"], len(chosen))


def _choose(events: Events, most: int, seed: int) -> Events:
    if len(events) <= most:
        return events
    chosen = np.sort(np.random.default_rng(seed).choice(len(events), most, replace=False))
    return Events(events.features[chosen], events.labels[chosen])


def _parameters(hyperparameters: SizedHyperparameters, events: int, seed: int) -> dict[str, Any]:
    return {
        "objective": "binary",
        "num_leaves": hyperparameters.tree_leaves,
        "max_depth": MAX_DEPTH,
        "learning_rate": hyperparameters.tree_learning_rate,
        "min_data_in_leaf": min(50, 1 + events // 20),
        "lambda_l2": 5.0,
        "feature_fraction": 0.3,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "max_bin": 127,
        # The sum of the leaves is then the whole logit.
        "boost_from_average": False,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }


class _Lines:
    """Logs a line now and then while trees grow."""

    def __init__(self, trees: int):
        self._trees = trees
        self._last = time.perf_counter()

    def __call__(self, progress: Any) -> None:
        now = time.perf_counter()
        if now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            log.info("tree %d/%d", progress.iteration + 1, self._trees)


def to_forest(trees: list[dict[str, Any]], events: int) -> Forest:
    """Reads trees, as LightGBM's ``dump_model`` tells them, into arrays."""
    by_tree = [_nodes(tree["tree_structure"]) for tree in trees]
    shape = len(by_tree), max(map(len, by_tree))
    forest = Forest(
        column=np.zeros(shape, np.int32),
        threshold=np.zeros(shape, np.float32),
        children=np.zeros([*shape, 2], np.int32),
        weight=np.zeros(shape, np.float32),
        depth=max(node["depth"] for nodes in by_tree for node in nodes),
        leaves=sum(len(nodes) // 2 + 1 for nodes in by_tree),
        events=events,
    )
    for tree, nodes in enumerate(by_tree):
        for place, node in enumerate(nodes):
            for field in ("column", "threshold", "children", "weight"):
                getattr(forest, field)[tree, place] = node[field]
    return forest


def _nodes(root: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes of a tree, the root first."""
    nodes: list[dict[str, Any]] = []

    def add(node: dict[str, Any], depth: int) -> int:
        place = len(nodes)
        nodes.append({"column": 0, "threshold": 0.0, "children": place, "weight": 0.0})
        nodes[place]["depth"] = depth
        if "split_feature" in node:
            nodes[place]["column"] = node["split_feature"]
            nodes[place]["threshold"] = _largest_float32(node["threshold"])
            nodes[place]["children"] = [add(node[f"{side}_child"], depth + 1) for side in SIDES]
        else:
            nodes[place]["weight"] = node["leaf_value"]
        return place

    add(root, 0)
    return nodes


SIDES = ("left", "right")


def _largest_float32(threshold: float) -> np.float32:
    """The largest float32 that is at most a float64, so that no float32 changes sides."""
    nearest = np.float32(threshold)
    return nearest if nearest <= threshold else np.nextafter(nearest, np.float32(-np.inf))
