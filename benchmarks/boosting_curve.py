"""LightGBM on the Parquet Examples of a run, with the settings of its own published benchmark.

    python -m benchmarks.boosting_curve EXAMPLES SECONDS

500 trees of 255 leaves at learning rate 0.1 on the 28 published columns (LightGBM's documentation,
"Experiments"). Prints the AUC on the eval split as JSON: after 500 trees, and after SECONDS. The
reading is timed, the computation of the AUCs is not.
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import lightgbm as lgb
import numpy as np
from sklearn.metrics import roc_auc_score

from formats.examples import FILES, find_row_groups, read_row_group, split_folder
from formats.features import COLUMNS
from formats.names import EVAL_SPLIT, TRAIN_SPLIT

TREES = 500

PARAMETERS = {
    "objective": "binary",
    "num_leaves": 255,
    "learning_rate": 0.1,
    "min_data_in_leaf": 0,
    "min_sum_hessian_in_leaf": 100,
    "seed": 0,
    "verbose": -1,
}


@dataclass(frozen=True)
class Milestone:
    """A point of the curve.

    Attributes:
        seconds: since the start of the reading.
        trees: number of trees.
        auc: on the eval split.
    """

    seconds: float
    trees: int
    auc: float


def curve(examples: str, seconds: float) -> Iterator[Milestone]:
    """Yields the milestones after ``TREES`` trees and after ``seconds``, in this order.

    Args:
        examples: the folder of the Examples.
        seconds: of the second milestone; it may come before the first.
    """
    start = time.perf_counter()
    train = _read(examples, TRAIN_SPLIT)
    data = lgb.Dataset(np.ascontiguousarray(train[:, 1:]), train[:, 0]).construct()
    del train
    booster = lgb.Booster(PARAMETERS, data)
    trees_in_time = 1
    while booster.num_trees() < TREES or time.perf_counter() - start < seconds:
        booster.update()
        elapsed = time.perf_counter() - start
        if elapsed <= seconds:
            trees_in_time = booster.num_trees()
        if booster.num_trees() == TREES:
            seconds_of_trees = elapsed
    evaluation = _read(examples, EVAL_SPLIT)
    for duration, trees in ((seconds_of_trees, TREES), (seconds, trees_in_time)):
        yield Milestone(duration, trees, _auc(booster, trees, evaluation))


def _read(examples: str, split: str) -> np.ndarray:
    """Label and features, float32 [N, 29]."""
    groups = find_row_groups(f"{split_folder(examples, split)}/{FILES}")
    tables = (read_row_group(group) for group in groups)
    return np.concatenate(
        [np.column_stack([table[name].chunk(0).flatten() for name in COLUMNS]) for table in tables]
    )


def _auc(booster: lgb.Booster, trees: int, rows: np.ndarray) -> float:
    scores = booster.predict(rows[:, 1:], num_iteration=trees, raw_score=True)
    return float(roc_auc_score(rows[:, 0], np.asarray(scores)))


if __name__ == "__main__":
    for milestone in curve(sys.argv[1], float(sys.argv[2])):
        print(json.dumps(asdict(milestone)))
