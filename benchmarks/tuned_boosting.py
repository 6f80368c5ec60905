"""The peers of the quality benchmark: LightGBM and XGBoost, tuned with early stopping.

Each library's settings are drawn at random and compared by their log loss on validation events,
as is the number of trees. With the best, trees are grown anew on training and validation events
together: the peers leave nothing unused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
import xgboost as xgb

from models.event_table import Array, Events

DRAWS = 12
"""Settings tried of each library."""

TUNING_EVENTS = 100_000
"""Training events that settings are compared on at most; the trees' number is found on all."""

MOST_TREES, PATIENCE = 4000, 60

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
class Grown:
    """Trees that were stopped early.

    Attributes:
      loss: log loss on the validation events.
      trees: how many are best.
    """

    loss: float
    trees: int


@dataclass(frozen=True)
class Library:
    """One library of boosted trees.

    Attributes:
      space: what its settings are drawn from.
      grow: from settings, training and validation events to what early stopping found.
      train: from settings, number of trees, events and seed to a function from columns to scores.
    """

    space: Mapping[str, tuple[Any, ...]]
    grow: Callable[[Settings, Events, Events], Grown]
    train: Callable[[Settings, int, Events, int], Predict]


def tune(library: Library, training: Events, validation: Events) -> tuple[Settings, int]:
    """The best settings of those drawn, and the number of trees for all events.

    Tells what each draw comes to: they take minutes.
    """
    rng = np.random.default_rng(0)
    part = _first(training, TUNING_EVENTS)
    drawn = [
        {name: values[rng.integers(len(values))] for name, values in library.space.items()}
        for _ in range(DRAWS)
    ]
    losses = []
    for number, settings in enumerate(drawn, 1):
        grown = library.grow(settings, part, validation)
        losses.append(grown.loss)
        print(f"  draw {number} of {DRAWS}: {settings}: {grown}", flush=True)
    best = drawn[int(np.argmin(losses))]
    grown = library.grow(best, training, validation)
    print(f"  the best, on all events: {best}: {grown}", flush=True)
    return best, grown.trees


def _first(events: Events, count: int) -> Events:
    return Events(events.features[:count], events.labels[:count])


def _lightgbm_parameters(settings: Settings, seed: int) -> dict[str, Any]:
    fixed = {"objective": "binary", "bagging_freq": 1, "num_threads": THREADS, "verbose": -1}
    return {**fixed, **settings, "seed": seed}


def _grow_lightgbm(settings: Settings, training: Events, validation: Events) -> Grown:
    data = lgb.Dataset(training.features, training.labels[:, 0])
    booster = lgb.train(
        _lightgbm_parameters(settings, seed=0),
        data,
        MOST_TREES,
        valid_sets=[data.create_valid(validation.features, validation.labels[:, 0])],
        callbacks=[lgb.early_stopping(PATIENCE, verbose=False)],
    )
    return Grown(booster.best_score["valid_0"]["binary_logloss"], booster.best_iteration)


def _train_lightgbm(settings: Settings, trees: int, events: Events, seed: int) -> Predict:
    data = lgb.Dataset(events.features, events.labels[:, 0])
    booster = lgb.train(_lightgbm_parameters(settings, seed), data, trees)
    return lambda columns: np.asarray(booster.predict(columns))


def _xgboost_parameters(settings: Settings, seed: int) -> dict[str, Any]:
    fixed = {"objective": "binary:logistic", "tree_method": "hist", "nthread": THREADS}
    return {**fixed, **settings, "seed": seed, "verbosity": 0}


def _grow_xgboost(settings: Settings, training: Events, validation: Events) -> Grown:
    booster = xgb.train(
        _xgboost_parameters(settings, seed=0),
        xgb.DMatrix(training.features, training.labels),
        MOST_TREES,
        evals=[(xgb.DMatrix(validation.features, validation.labels), "validation")],
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
    )
    return Grown(booster.best_score, booster.best_iteration + 1)


def _train_xgboost(settings: Settings, trees: int, events: Events, seed: int) -> Predict:
    data = xgb.DMatrix(events.features, events.labels)
    booster = xgb.train(_xgboost_parameters(settings, seed), data, trees)
    return lambda columns: np.asarray(booster.predict(xgb.DMatrix(columns)))


LIBRARIES = {
    "LightGBM": Library(LIGHTGBM_SPACE, _grow_lightgbm, _train_lightgbm),
    "XGBoost": Library(XGBOOST_SPACE, _grow_xgboost, _train_xgboost),
}
