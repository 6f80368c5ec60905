"""Learning rates and stopping, worked out from what has happened so far.

Pure functions of the validation losses by epoch, so that a training that is resumed decides as one
that was never interrupted. They are Keras' EarlyStopping and ReduceLROnPlateau, whose state cannot
be saved.
"""

import math
from collections.abc import Sequence

import tensorflow as tf
import tf_keras

from models.training.sizing import SizedHyperparameters

WARM_UP = 0.05
"""The share of all steps in which the cosine schedule's rate rises to its peak."""

PLATEAU_MIN_DELTA = 1e-4
"""What Keras' ReduceLROnPlateau takes for an improvement of the loss."""


def peak_rate(hyperparameters: SizedHyperparameters, batch_size: int) -> float:
    """The learning rate for a global batch: in proportion to the root of its size.

    Adam's steps are the same size whatever the batch; the root keeps their noise the same (Malladi
    et al. 2022, arXiv:2205.10287).
    """
    if hyperparameters.learning_rate_batch is None:
        return hyperparameters.learning_rate
    scale = batch_size / hyperparameters.learning_rate_batch
    return hyperparameters.learning_rate * math.sqrt(scale)


def cosine(peak: float, steps: int) -> tf_keras.optimizers.schedules.LearningRateSchedule:
    """From 0 up to the peak, then down to 0 along a cosine (Loshchilov, Hutter 2017, 1608.03983).

    Args:
      peak: the highest rate.
      steps: of the whole training.
    """
    rising = max(1, round(WARM_UP * steps))
    return tf_keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - rising), warmup_target=peak, warmup_steps=rising
    )


def current_rate(optimizer: tf_keras.optimizers.Optimizer) -> float:
    """The learning rate of the optimizer's last step, whether it is mirrored or not."""
    return float(tf.convert_to_tensor(optimizer.learning_rate))


def best_epoch(losses: Sequence[float], min_delta: float) -> int:
    """The epoch, from 0, that no later one improved on by more than ``min_delta``."""
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best] - min_delta:
            best = epoch
    return best


def should_stop(losses: Sequence[float], hyperparameters: SizedHyperparameters) -> bool:
    """Whether the loss has not improved for as many epochs as patience allows."""
    patience = hyperparameters.early_stopping_patience
    if patience is None or len(losses) < 2:
        return False
    best = best_epoch(losses, hyperparameters.early_stopping_min_delta)
    return len(losses) - 1 - best >= max(1, patience)


def plateau_rate(
    losses: Sequence[float], peak: float, hyperparameters: SizedHyperparameters
) -> float:
    """The rate for the next epoch after these: lower by a factor for every plateau so far."""
    rate, best, waited = peak, math.inf, 0
    for loss in losses:
        if loss < best - PLATEAU_MIN_DELTA:
            best, waited = loss, 0
            continue
        waited += 1
        if waited >= hyperparameters.plateau_patience:
            rate = min(
                rate, max(rate * hyperparameters.plateau_factor, hyperparameters.min_learning_rate)
            )
            waited = 0
    return rate
