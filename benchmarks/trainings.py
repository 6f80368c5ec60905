"""Trainings and models with random weights, for the benchmarks that need one."""

import tempfile

import numpy as np
import tf_keras

from formats.hyperparameters import Hyperparameters, resolve
from models.event_table import Array, EventTable
from models.network import build_network, measure_columns
from models.serving.assembly import assemble, blend_on
from models.training.boosted_trees import Forest
from models.training.event_survey import Splits
from models.training.hardware import find_machine
from models.training.model_fit import FittedModel, fit
from models.training.training_plan import SizedHyperparameters, size_hyperparameters


def train(
    splits: Splits, hyperparameters: Hyperparameters, seed: int = 0, window: int | None = None
) -> FittedModel:
    """Trains on this machine without logs or checkpoints; see ``models.training.model_fit.fit``."""
    with tempfile.TemporaryDirectory() as log_dir:
        return fit(
            splits,
            hyperparameters,
            seed=seed,
            machine=find_machine(),
            log_dir=log_dir,
            window=window,
        )


def random_model(training_size: int, columns: EventTable) -> tf_keras.Model:
    """The default model, as sized for a number of training events, with random weights.

    Args:
        training_size: the number of training events.
        columns: derived columns of any events, which give the cuts.
    """
    hyperparameters = size_hyperparameters(resolve("default"), training_size)
    network = build_network(hyperparameters, measure_columns(columns, hyperparameters.buckets))
    forest = _random_forest(hyperparameters, columns.features)
    return assemble(network, forest, blend_on(network, forest, columns), derived=True)


def _random_forest(hyperparameters: SizedHyperparameters, columns: Array) -> Forest:
    """Makes trees of random cuts at quantiles of the columns, as trained trees share them."""
    rng = np.random.default_rng(0)
    shape = hyperparameters.trees, hyperparameters.tree_depth
    borders = np.quantile(columns[:20_000], np.linspace(0, 1, 66)[1:-1], axis=0).astype(np.float32)
    column = rng.integers(columns.shape[1], size=shape, dtype=np.int32)
    leaves = 2**hyperparameters.tree_depth
    return Forest(
        column=column,
        border=borders[rng.integers(len(borders), size=shape), column],
        weight=rng.normal(scale=0.01, size=[shape[0], leaves]).astype(np.float32),
        leaves=shape[0] * leaves,
        events=len(columns),
    )
