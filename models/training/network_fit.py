"""The fit: network, optimizer, callbacks and data brought together under a strategy."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from models.event_table import Events
from models.network import Preparation, WideAndDeep, build_network, prepare
from models.training import learning_rate
from models.training.batches import evaluation_dataset, global_batch_size, training_dataset
from models.training.callbacks import MONITOR, Course, Guard
from models.training.checkpoints import Checkpoints
from models.training.precision import policy_of
from models.training.progress_callback import Progress
from models.training.sizing import SizedHyperparameters
from models.training.strategy import Hardware
from models.training.warm_start import take_weights

log = logging.getLogger("higgs.trainer")


class DivergedError(RuntimeError):
    """The loss was not finite, so there is no model to keep."""


@dataclass(frozen=True)
class Plan:
    """Everything that decides how a training goes, worked out before it.

    Attributes:
      hyperparameters: all of them.
      seed: for weights, dropout and shuffling.
      hardware: what it runs on.
      policy: Keras' mixed precision policy.
      batch_size: events a step, over all replicas.
      steps: steps an epoch.
      peak: the highest learning rate.
    """

    hyperparameters: SizedHyperparameters
    seed: int
    hardware: Hardware
    policy: str
    batch_size: int
    steps: int
    peak: float


@dataclass(frozen=True)
class Trained:
    """A network with the weights of one epoch, and how it came by them.

    Attributes:
      network: the network, its variables under the strategy.
      preparation: what was measured of its columns.
      plan: how it was trained.
      epochs: metrics by epoch, as ``models.training.training_summary`` describes them.
      epoch_kept: the epoch of the weights, from 1.
      resumed_at: the last epoch that an earlier, killed training had finished; 0 without one.
      warm_start: the weights that it began with, by name.
    """

    network: WideAndDeep
    preparation: Preparation
    plan: Plan
    epochs: Sequence[Mapping[str, float]]
    epoch_kept: int
    resumed_at: int
    warm_start: Sequence[str]


def plan_training(
    events: int, hyperparameters: SizedHyperparameters, seed: int, hardware: Hardware
) -> Plan:
    """Works out batch, rate and precision.

    Args:
      events: number of training events.
      hyperparameters: all of them.
      seed: for weights, dropout and shuffling.
      hardware: what it will run on.

    Raises:
      ValueError: there are fewer training events than replicas.
    """
    batch_size = global_batch_size(
        events, hyperparameters.batch_size_per_replica, hardware.replicas
    )
    return Plan(
        hyperparameters=hyperparameters,
        seed=seed,
        hardware=hardware,
        policy=policy_of(hyperparameters.precision, hardware),
        batch_size=batch_size,
        steps=events // batch_size,
        peak=learning_rate.peak_rate(hyperparameters, batch_size),
    )


def train(
    train_events: Events,
    eval_events: Events,
    plan: Plan,
    *,
    strategy: tf.distribute.Strategy,
    log_dir: str,
    checkpoint_dir: str | None = None,
    initial_weights: Mapping[str, np.ndarray] | None = None,
) -> Trained:
    """Trains a network and keeps its last or best epoch.

    Args:
      train_events: what the network learns from and is prepared by; columns as features.
      eval_events: what the epochs are compared on.
      plan: of ``plan_training``.
      strategy: where it trains.
      log_dir: folder for TensorBoard.
      checkpoint_dir: where this training's states go, and where it goes on from if it was killed.
      initial_weights: to begin with, as ``models.training.warm_start`` reads them.

    Raises:
      DivergedError: the loss was not finite.
    """
    preparation = prepare(train_events, plan.hyperparameters)
    with strategy.scope():
        network = build_network(plan.hyperparameters, preparation, plan.seed, plan.policy)
        compile_network(network, plan)
        taken = take_weights(network, initial_weights or {})
        checkpoints = _checkpoints(checkpoint_dir, network, plan)
        course = Course(plan.hyperparameters, plan.peak, checkpoints)
        course.resume()
    resumed_at = len(course.epochs)
    if not course.is_over:
        _fit(network, course, plan, strategy, (train_events, eval_events), log_dir)
    network.set_weights(course.kept)
    kept = course.epochs[course.kept_epoch]
    log.info("kept epoch %d: val_loss %.4f", kept["epoch"], kept[MONITOR])
    return Trained(
        network, preparation, plan, course.epochs, course.kept_epoch + 1, resumed_at, taken
    )


def _checkpoints(folder: str | None, network: WideAndDeep, plan: Plan) -> Checkpoints | None:
    return Checkpoints(folder, network, writes=plan.hardware.host == 0) if folder else None


def compile_network(network: WideAndDeep, plan: Plan) -> None:
    """Gives a network its optimizer, loss and metrics; under the strategy that it trains on."""
    alone = plan.hardware.replicas == 1
    network.compile(
        optimizer=_optimizer(plan),
        loss=tf_keras.losses.BinaryCrossentropy(),
        # Weighted, so that what fills the last validation batch does not count.
        weighted_metrics=[
            tf_keras.metrics.AUC(name="auc"),
            tf_keras.metrics.BinaryAccuracy(name="binary_accuracy"),
        ],
        steps_per_execution=min(plan.hyperparameters.steps_per_execution, plan.steps),
        # TPUs compile in any case; mirrored replicas sum their gradients outside of XLA.
        jit_compile=alone and plan.hardware.kind != "tpu",
    )
    # Variables that the first step would make would have it traced twice.
    network.optimizer.build(network.trainable_variables)


def _optimizer(plan: Plan) -> tf_keras.optimizers.Optimizer:
    """AdamW (Loshchilov, Hutter 2019, arXiv:1711.05101), which is Adam where nothing decays."""
    hyperparameters = plan.hyperparameters
    rate: Any = plan.peak
    if hyperparameters.schedule == "cosine":
        rate = learning_rate.cosine(plan.peak, plan.steps * hyperparameters.epochs)
    optimizer = tf_keras.optimizers.AdamW(rate, weight_decay=hyperparameters.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "wide"])
    if plan.policy == "mixed_float16":
        return tf_keras.mixed_precision.LossScaleOptimizer(optimizer)
    return optimizer


def _fit(
    network: WideAndDeep,
    course: Course,
    plan: Plan,
    strategy: tf.distribute.Strategy,
    splits: tuple[Events, Events],
    log_dir: str,
) -> None:
    train_events, eval_events = splits
    done, epochs = len(course.epochs), plan.hyperparameters.epochs
    network.fit(
        strategy.distribute_datasets_from_function(
            lambda host: training_dataset(train_events, plan.batch_size, plan.seed, done, host)
        ),
        validation_data=strategy.distribute_datasets_from_function(
            lambda host: evaluation_dataset(eval_events, plan.batch_size, host)
        ),
        validation_steps=-(-len(eval_events) // plan.batch_size),
        epochs=epochs,
        initial_epoch=done,
        steps_per_epoch=plan.steps,
        callbacks=[
            Guard(partial(_explain, network, train_events, plan)),
            Progress(epochs, plan.steps, plan.batch_size),
            tf_keras.callbacks.TensorBoard(
                log_dir, write_graph=False, profile_batch=_profiled_calls(plan)
            ),
            course,
        ],
        verbose=0,
    )


def _profiled_calls(plan: Plan) -> int | tuple[int, int]:
    """What TensorBoard profiles: of the second epoch, when all is warm.

    It counts calls of the device, each of which runs ``steps_per_execution`` steps.
    """
    hyperparameters = plan.hyperparameters
    steps = min(hyperparameters.profile_steps, plan.steps)
    a_call = min(hyperparameters.steps_per_execution, plan.steps)
    first = 1 + math.ceil(plan.steps / a_call)
    return (first, first - 1 + math.ceil(steps / a_call)) if steps else 0


def _explain(
    network: WideAndDeep, events: Events, plan: Plan, epoch: int, step: int
) -> DivergedError:
    batches = training_dataset(events, plan.batch_size, plan.seed, epoch).skip(step - 1)
    columns, _ = next(iter(batches))
    values = columns.numpy()
    finite = values[np.isfinite(values)]
    run = f"run from {finite.min():g} to {finite.max():g}" if finite.size else "hold no number"
    return DivergedError(
        f"the loss was not finite at step {step} of epoch {epoch + 1}, at a learning rate of "
        f"{learning_rate.current_rate(network.optimizer):.3g}; the batch's columns {run}, and "
        f"{values.size - finite.size} of {values.size} values are NaN or infinite: lower "
        "learning_rate, or look for such values in the data"
    )
