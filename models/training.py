"""The fit: network, optimizer, callbacks and data brought together under a strategy."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import tensorflow as tf
import tf_keras

from models.datasets import evaluation_dataset, global_batch_size, training_dataset
from models.history import by_epoch
from models.hyperparameters import Hyperparameters
from models.input_data import Events
from models.network import WideAndDeep, build_network
from models.normalization import measure
from models.progress import Progress

log = logging.getLogger("higgs.trainer")

MONITOR = "val_loss"


class DivergedError(RuntimeError):
    """The validation loss was never a finite number, so there is no model to keep."""


@dataclass(frozen=True)
class Trained:
    """A network with the weights of its best epoch, and how it came by them.

    Attributes:
      network: the network, its variables under the strategy.
      batch_size: events a step, over all replicas.
      steps_per_epoch: steps an epoch.
      epochs: metrics by epoch, as ``models.history`` describes them.
      epoch_kept: the epoch of the weights, from 1.
    """

    network: WideAndDeep
    batch_size: int
    steps_per_epoch: int
    epochs: Sequence[Mapping[str, float]]
    epoch_kept: int


def train(
    train_events: Events,
    eval_events: Events,
    hyperparameters: Hyperparameters,
    *,
    seed: int,
    strategy: tf.distribute.Strategy,
    log_dir: str,
) -> Trained:
    """Trains a network and keeps its best epoch by validation loss.

    Args:
      train_events: what the network learns from and its inputs are normalised by.
      eval_events: what the epochs are compared on.
      hyperparameters: the network's and the training's.
      seed: for weights, dropout and shuffling.
      strategy: where it trains.
      log_dir: folder for TensorBoard.

    Raises:
      DivergedError: the validation loss was never finite.
      ValueError: there are fewer training events than replicas.
    """
    batch_size = global_batch_size(
        len(train_events),
        hyperparameters.batch_size_per_replica,
        strategy.num_replicas_in_sync,
    )
    steps = len(train_events) // batch_size
    normalization = measure(train_events.features)
    with strategy.scope():
        network = build_network(hyperparameters, normalization, seed)
        _compile(network, hyperparameters, steps)
    best = _keep_best(hyperparameters)
    history = network.fit(
        training_dataset(train_events, batch_size, seed),
        validation_data=evaluation_dataset(eval_events, batch_size),
        epochs=hyperparameters.epochs,
        steps_per_epoch=steps,
        callbacks=[
            Progress(hyperparameters.epochs, steps, batch_size),
            _reduce_rate(hyperparameters),
            best,
            tf_keras.callbacks.TensorBoard(log_dir, write_graph=False, profile_batch=0),
        ],
        verbose=0,
    )
    epochs = by_epoch(history.history)
    _check_finite(epochs[best.best_epoch])
    return Trained(network, batch_size, steps, epochs, best.best_epoch + 1)


def _compile(network: WideAndDeep, hyperparameters: Hyperparameters, steps: int) -> None:
    network.compile(
        optimizer=tf_keras.optimizers.Adam(hyperparameters.learning_rate),
        loss=tf_keras.losses.BinaryCrossentropy(),
        # Weighted, so that what fills the last validation batch does not count.
        weighted_metrics=[
            tf_keras.metrics.AUC(name="auc"),
            tf_keras.metrics.BinaryAccuracy(name="binary_accuracy"),
        ],
        steps_per_execution=min(hyperparameters.steps_per_execution, steps),
    )


def _keep_best(hyperparameters: Hyperparameters) -> tf_keras.callbacks.EarlyStopping:
    """Stops early, and restores the best weights however the training ends."""
    return tf_keras.callbacks.EarlyStopping(
        monitor=MONITOR,
        patience=hyperparameters.early_stopping_patience,
        min_delta=hyperparameters.early_stopping_min_delta,
        restore_best_weights=True,
    )


def _reduce_rate(hyperparameters: Hyperparameters) -> tf_keras.callbacks.ReduceLROnPlateau:
    return tf_keras.callbacks.ReduceLROnPlateau(
        monitor=MONITOR,
        factor=hyperparameters.plateau_factor,
        patience=hyperparameters.plateau_patience,
        min_lr=hyperparameters.min_learning_rate,
    )


def _check_finite(kept: Mapping[str, float]) -> None:
    log.info("kept epoch %d: val_loss %.4f", kept["epoch"], kept[MONITOR])
    if not math.isfinite(kept[MONITOR]):
        raise DivergedError(
            f"the validation loss was {kept[MONITOR]} from the first epoch on: "
            "lower learning_rate, or look for values in the data that are not finite"
        )
