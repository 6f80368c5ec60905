"""The forest: boosted trees, grown by LightGBM on the columns.

A leaf is a conjunction of cuts. The leaves that an event reaches, one per tree, are crossed
features that the data selected, and the logit is linear in them (He et al. 2014,
doi:10.1145/2648584.2648589): in a wide-and-deep model they replace hand-made crossed columns.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from formats.throttle import Throttle
from models.event_table import Array, EventTable
from models.training.training_plan import SizedHyperparameters

try:
    import lightgbm as lgb
except OSError as error:
    raise ImportError(
        f"LightGBM cannot be loaded ({error}): it needs the OpenMP runtime of the system; "
        "on Debian and Ubuntu, apt-get install libgomp1"
    ) from error

log = logging.getLogger("higgs.trainer")

MAX_DEPTH = 12
"""Maximum number of cuts from the root to a leaf."""

SECONDS_BETWEEN_LINES = 10.0


@dataclass(frozen=True)
class Forest:
    """Boosted trees as arrays, every tree padded to the number of nodes of the largest one.

    Attributes:
        column: the column that a node cuts, int32 [trees, nodes].
        threshold: an event goes left if its value is at most this, float32 [trees, nodes].
        children: left and right node in the same tree, int32 [trees, nodes, 2]; a leaf's children
            are the leaf itself.
        weight: a leaf's contribution to the logit, float32 [trees, nodes]; 0 for other nodes.
        depth: number of cuts from a root to the deepest leaf.
        leaves: number of leaves of all trees.
        events: number of events on which the trees were grown.
    """

    column: npt.NDArray[np.int32]
    threshold: Array
    children: npt.NDArray[np.int32]
    weight: Array
    depth: int
    leaves: int
    events: int


def grow_forest(events: EventTable, hyperparameters: SizedHyperparameters, seed: int) -> Forest:
    """Grows a forest on at most ``tree_events`` of the training events.

    Args:
        events: with columns as features.
        hyperparameters: with ``trees`` at least 1.
        seed: seed of the sample of events, and of the columns and events of each tree.
    """
    sample = _sample(events, hyperparameters.tree_events, seed)
    log.info("growing %d trees on %d events", hyperparameters.trees, len(sample))
    booster = lgb.train(
        _parameters(hyperparameters, len(sample), seed),
        lgb.Dataset(sample.features, sample.labels[:, 0]),
        hyperparameters.trees,
        callbacks=[_progress_callback(hyperparameters.trees)],
    )
    return to_forest(booster.dump_model()["tree_info"], len(sample))


def _sample(events: EventTable, maximum: int, seed: int) -> EventTable:
    if len(events) <= maximum:
        return events
    rows = np.sort(np.random.default_rng(seed).choice(len(events), maximum, replace=False))
    return EventTable(events.features[rows], events.labels[rows])


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
        # Then the sum of the leaves is the whole logit.
        "boost_from_average": False,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }


def _progress_callback(trees: int) -> Callable[[Any], None]:
    """Returns a callback of LightGBM that logs a line every few seconds."""
    throttle = Throttle(SECONDS_BETWEEN_LINES)
    throttle.restart()

    def log_progress(environment: Any) -> None:
        if throttle.is_due():
            log.info("tree %d/%d", environment.iteration + 1, trees)

    return log_progress


def to_forest(trees: list[dict[str, Any]], events: int) -> Forest:
    """Converts trees in the form of LightGBM's ``dump_model`` to arrays.

    Args:
        trees: the entry ``tree_info``.
        events: number of events on which the trees were grown.
    """
    nodes_by_tree = [_nodes(tree["tree_structure"]) for tree in trees]
    shape = len(nodes_by_tree), max(map(len, nodes_by_tree))
    forest = Forest(
        column=np.zeros(shape, np.int32),
        threshold=np.zeros(shape, np.float32),
        children=np.zeros([*shape, 2], np.int32),
        weight=np.zeros(shape, np.float32),
        depth=max(node["depth"] for nodes in nodes_by_tree for node in nodes),
        leaves=sum(len(nodes) // 2 + 1 for nodes in nodes_by_tree),
        events=events,
    )
    for tree, nodes in enumerate(nodes_by_tree):
        for index, node in enumerate(nodes):
            for field in ("column", "threshold", "children", "weight"):
                getattr(forest, field)[tree, index] = node[field]
    return forest


def _nodes(root: dict[str, Any]) -> list[dict[str, Any]]:
    """Lists the nodes of a tree, the root first."""
    nodes: list[dict[str, Any]] = []

    def add(node: dict[str, Any], depth: int) -> int:
        index = len(nodes)
        entry: dict[str, Any] = {"column": 0, "threshold": 0.0, "children": index, "weight": 0.0}
        entry["depth"] = depth
        nodes.append(entry)
        if "split_feature" in node:
            entry["column"] = node["split_feature"]
            entry["threshold"] = _round_down(node["threshold"])
            children = (node["left_child"], node["right_child"])
            entry["children"] = [add(child, depth + 1) for child in children]
        else:
            entry["weight"] = node["leaf_value"]
        return index

    add(root, 0)
    return nodes


def _round_down(threshold: float) -> np.float32:
    """Returns the largest float32 that is at most a float64: all float32 stay on their side."""
    nearest = np.float32(threshold)
    return nearest if nearest <= threshold else np.nextafter(nearest, np.float32(-np.inf))
