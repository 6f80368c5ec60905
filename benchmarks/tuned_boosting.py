"""LightGBM and XGBoost with tuned settings, the peers of the quality benchmark.

Settings are drawn at random and compared by their log loss on validation events, with early
stopping. The best settings and number of trees are then trained on training and validation events
together, so that the peers use all events.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
import xgboost as xgb

from models.event_table import Array, EventTable

DRAWS = 12
"""Number of settings tried per library."""

TUNING_EVENTS = 100_000
"""Maximum number of training events to compare settings; all determine the number of trees."""

MAX_TREES, PATIENCE = 4000, 60

THREADS = 2

LIGHTGBM_SPACE: dict[str, tuple[Any, ...]] = {
    "num_leaves": (15, 31, 63, 127, 255),
    "learning_rate": (0.03, 0.05, 0.08),
    "min_data_in_leaf": (20, 50, 100, 300),
    "feature_fraction": (0.2, 0.4, 0.7, 1.0),
    "bagging_fraction": (0.6, 0.8, 1.0),
    "lambda_l2": (0.0, 1.0, 10.0),
}

XGBOOST_SPACE: dict[str, tuple[Any, ...]] = {
    "max_depth": (4, 5, 6, 8, 10),
    "eta": (0.03, 0.05, 0.08),
    "min_child_weight": (1, 5, 20, 60),
    "colsample_bytree": (0.2, 0.4, 0.7, 1.0),
    "subsample": (0.6, 0.8, 1.0),
    "lambda": (1.0, 3.0, 10.0),
}

Settings = Mapping[str, Any]
Predict = Callable[[Array], Array]


@dataclass(frozen=True)
class EarlyStopping:
    """Result of a training with early stopping.

    Attributes:
        loss: log loss on the validation events.
        trees: the best number of trees.
    """

    loss: float
    trees: int


@dataclass(frozen=True)
class Library:
    """One library of boosted trees.

    Attributes:
        space: values of each setting to draw from.
        stop_early: trains with the settings on the first events and stops early by the second.
        train: from settings, number of trees, events and seed to a function from columns to scores.
    """

    space: Mapping[str, tuple[Any, ...]]
    stop_early: Callable[[Settings, EventTable, EventTable], EarlyStopping]
    train: Callable[[Settings, int, EventTable, int], Predict]


def tune(library: Library, training: EventTable, validation: EventTable) -> tuple[Settings, int]:
    """The best settings of those drawn, and the number of trees for all events.

    Prints each result, because a training takes minutes.
    """
    rng = np.random.default_rng(0)
    draws = [
        {name: values[rng.integers(len(values))] for name, values in library.space.items()}
        for _ in range(DRAWS)
    ]
    losses = []
    for number, settings in enumerate(draws, 1):
        result = library.stop_early(settings, training[:TUNING_EVENTS], validation)
        losses.append(result.loss)
        print(f"  draw {number} of {DRAWS}: {settings}: {result}", flush=True)
    best = draws[int(np.argmin(losses))]
    result = library.stop_early(best, training, validation)
    print(f"  the best, on all events: {best}: {result}", flush=True)
    return best, result.trees


def _lightgbm_parameters(settings: Settings, seed: int) -> dict[str, Any]:
    fixed = {"objective": "binary", "bagging_freq": 1, "num_threads": THREADS, "verbose": -1}
    return {**fixed, **settings, "seed": seed}


def _stop_lightgbm_early(
    settings: Settings, training: EventTable, validation: EventTable
) -> EarlyStopping:
    data = lgb.Dataset(training.features, training.labels[:, 0])
    booster = lgb.train(
        _lightgbm_parameters(settings, seed=0),
        data,
        MAX_TREES,
        valid_sets=[data.create_valid(validation.features, validation.labels[:, 0])],
        callbacks=[lgb.early_stopping(PATIENCE, verbose=False)],
    )
    return EarlyStopping(booster.best_score["valid_0"]["binary_logloss"], booster.best_iteration)


def _train_lightgbm(settings: Settings, trees: int, events: EventTable, seed: int) -> Predict:
    data = lgb.Dataset(events.features, events.labels[:, 0])
    booster = lgb.train(_lightgbm_parameters(settings, seed), data, trees)
    return lambda columns: np.asarray(booster.predict(columns))


def _xgboost_parameters(settings: Settings, seed: int) -> dict[str, Any]:
    fixed = {"objective": "binary:logistic", "tree_method": "hist", "nthread": THREADS}
    return {**fixed, **settings, "seed": seed, "verbosity": 0}


def _stop_xgboost_early(
    settings: Settings, training: EventTable, validation: EventTable
) -> EarlyStopping:
    booster = xgb.train(
        _xgboost_parameters(settings, seed=0),
        xgb.DMatrix(training.features, training.labels),
        MAX_TREES,
        evals=[(xgb.DMatrix(validation.features, validation.labels), "validation")],
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
    )
    return EarlyStopping(booster.best_score, booster.best_iteration + 1)


def _train_xgboost(settings: Settings, trees: int, events: EventTable, seed: int) -> Predict:
    data = xgb.DMatrix(events.features, events.labels)
    booster = xgb.train(_xgboost_parameters(settings, seed), data, trees)
    return lambda columns: np.asarray(booster.predict(xgb.DMatrix(columns)))


LIBRARIES = {
    "LightGBM": Library(LIGHTGBM_SPACE, _stop_lightgbm_early, _train_lightgbm),
    "XGBoost": Library(XGBOOST_SPACE, _stop_xgboost_early, _train_xgboost),
}
