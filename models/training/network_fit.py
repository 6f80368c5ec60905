"""Fit of the network: network, optimizer, callbacks and batches under a strategy."""

import functools
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf
import tf_keras

from models.event_table import Array
from models.network import ColumnStatistics, WideAndDeep, build_network, measure_columns
from models.physics.input_columns import compute_columns
from models.serving.saved_model import NamedWeights, weight_name
from models.training.batches import Blocks, training_dataset, validation_dataset
from models.training.callbacks import (
    MONITOR,
    EpochTracker,
    LocalTensorBoard,
    NanGuard,
    ProgressLog,
    current_learning_rate,
    event_check,
)
from models.training.checkpoints import REFIT_FOLDER, Checkpoints, TrainingState
from models.training.event_files import FileBlocks
from models.training.event_survey import Splits, TrainingEvents
from models.training.hardware import gather
from models.training.training_plan import CosineSchedule, TrainingPlan

log = logging.getLogger("higgs.trainer")


class DivergedError(RuntimeError):
    """The loss became NaN or infinite; nothing is exported."""


@dataclass(frozen=True)
class TrainingEnvironment:
    """The strategy to train under, and the folders of a training.

    Attributes:
        strategy: the strategy.
        log_dir: folder for TensorBoard.
        checkpoint_dir: folder for the checkpoints of this training, from which it resumes if it
            was killed; None for a training that is not resumed.
        event_folder: folder for the events of each host if other processes feed the devices; None
            if this one does.
    """

    strategy: tf.distribute.Strategy
    log_dir: str
    checkpoint_dir: str | None = None
    event_folder: str | None = None

    def for_refit(self) -> "TrainingEnvironment":
        """Returns the environment of the second training, whose folders are below these."""
        folders = {name: path for name, path in vars(self).items() if name != "strategy" and path}
        return replace(self, **{name: f"{path}/{REFIT_FOLDER}" for name, path in folders.items()})


@dataclass(frozen=True)
class TrainedNetwork:
    """A network with the weights of one epoch, and how it was trained.

    Attributes:
        network: the network; its variables are under the strategy.
        statistics: of the training columns.
        schedule: the cosine of the learning rate; None on a plateau.
        start: all variables of network and optimizer with the values that they had before the
            first step; none if the network is trained only once.
        environment: of the training.
        plan: the plan of the training.
        epochs: metrics by epoch, as in ``formats.training_record``.
        epoch_kept: the epoch whose weights the network has, from 1.
        resumed_at: the number of epochs, and of steps of the next one, that an earlier, killed
            training had finished; 0 and 0 without one.
        warm_start: names of the weights that were taken from an earlier model.
    """

    network: WideAndDeep
    statistics: ColumnStatistics
    schedule: CosineSchedule | None
    start: Sequence[tuple[tf.Variable, Array]]
    environment: TrainingEnvironment
    plan: TrainingPlan
    epochs: Sequence[Mapping[str, float]]
    epoch_kept: int
    resumed_at: tuple[int, int]
    warm_start: Sequence[str]


def train(
    splits: Splits,
    plan: TrainingPlan,
    environment: TrainingEnvironment,
    *,
    initial_weights: NamedWeights | None = None,
    restartable: bool = False,
) -> TrainedNetwork:
    """Trains a network and keeps the weights of the last or the best epoch.

    Args:
        splits: training and validation events.
        plan: from ``plan_training``.
        environment: strategy and folders.
        initial_weights: weights of an earlier model to start with.
        restartable: whether ``refit`` will follow.

    Raises:
        DivergedError: the loss was not finite.
        EventCountError: the files changed since the survey.
        TPUUnavailableError: a host of a TPU cannot read its events.
    """
    statistics = measure_columns(
        compute_columns(splits.sample, derived=plan.hyperparameters.derived_columns),
        plan.hyperparameters.buckets,
    )
    with environment.strategy.scope():
        network = build_network(plan.hyperparameters, statistics, plan.seed, plan.policy)
        schedule = compile_network(network, plan)
        warm_start = assign_weights(network, initial_weights or {})
        start = _variables(network) if restartable else []
    state, tracker, resumed_at = _train(network, splits, plan, environment)
    kept_epoch = state.epochs[tracker.kept_epoch]
    log.info("kept epoch %d: val_loss %.4f", kept_epoch["epoch"], kept_epoch[MONITOR])
    return TrainedNetwork(
        network=network,
        statistics=statistics,
        schedule=schedule,
        start=start,
        environment=environment,
        plan=plan,
        epochs=state.epochs,
        epoch_kept=tracker.kept_epoch + 1,
        resumed_at=resumed_at,
        warm_start=warm_start,
    )


def refit(trained: TrainedNetwork, splits: Splits) -> TrainedNetwork:
    """Trains the same network again from its start, for as many epochs as were kept.

    The network is not compiled again. It keeps its columns: normalization and buckets are those of
    the training before. It also keeps the learning rates by epoch.

    Args:
        trained: restartable; its network gets the new weights.
        splits: training events, without validation events.

    Raises:
        DivergedError: the loss was not finite.
    """
    chosen = trained.epochs[: trained.epoch_kept]
    plan = trained.plan.for_refit(splits.train.usable, len(chosen))
    log.info("training again on all %s events for %d epochs", f"{len(splits.train):,}", len(chosen))
    network, environment = trained.network, trained.environment.for_refit()
    with environment.strategy.scope():
        for variable, value in trained.start:
            variable.assign(value)
        if trained.schedule:
            epochs = trained.plan.hyperparameters.epochs
            trained.schedule.set_steps(epochs * plan.steps_per_epoch)
    losses = [epoch[MONITOR] for epoch in chosen]
    state, _, resumed_at = _train(network, splits, plan, environment, losses, "refit epoch")
    # Without validation, nothing has been computed from the weights since the last step.
    if not all(np.isfinite(weight.numpy()).all() for weight in network.trainable_variables):
        raise DivergedError(
            "a weight is not finite after the last refit epoch: lower learning_rate"
        )
    return replace(trained, plan=plan, epochs=state.epochs, resumed_at=resumed_at)


def _train(
    network: WideAndDeep,
    splits: Splits,
    plan: TrainingPlan,
    environment: TrainingEnvironment,
    losses: Sequence[float] | None = None,
    name: str = "epoch",
) -> tuple[TrainingState, EpochTracker, tuple[int, int]]:
    """Trains a compiled network from its last checkpoint on, and gives it the weights to keep.

    Returns:
        The state of the training, its tracker, and the epoch and step at which it resumed.
    """
    state, save = TrainingState(), None
    if environment.checkpoint_dir:
        with environment.strategy.scope():
            checkpoints = Checkpoints(
                environment.checkpoint_dir, network, state, writes=plan.hardware.host == 0
            )
            checkpoints.restore()
        save = checkpoints.save
    resumed_at = len(state.epochs), state.step
    tracker = EpochTracker(plan, state, save, losses)
    if not tracker.is_finished:
        _fit(network, tracker, splits, plan, environment, resumed_at, name)
    network.set_weights(state.kept_weights)
    return state, tracker, resumed_at


def _variables(network: WideAndDeep) -> list[tuple[tf.Variable, Array]]:
    """Returns the variables of a network and its optimizer, with copies of their values."""
    root = tf.train.Checkpoint(network=network, optimizer=network.optimizer)
    return [
        (node, node.numpy())
        for node in tf.train.TrackableView(root).descendants()
        if isinstance(node, tf.Variable)
    ]


def compile_network(network: WideAndDeep, plan: TrainingPlan) -> CosineSchedule | None:
    """Sets optimizer, loss and metrics of a network; must be called under its strategy.

    Returns:
        The schedule of the learning rate; None for a plateau.
    """
    schedule = None
    if plan.hyperparameters.schedule == "cosine":
        steps = plan.steps_per_epoch * plan.hyperparameters.epochs
        schedule = CosineSchedule(plan.peak_learning_rate, steps)
    network.compile(
        optimizer=_optimizer(plan, schedule or plan.peak_learning_rate),
        loss=tf_keras.losses.BinaryCrossentropy(),
        # Weighted, so that the padding of the last validation batch is not counted.
        weighted_metrics=[
            tf_keras.metrics.AUC(name="auc"),
            tf_keras.metrics.BinaryAccuracy(name="binary_accuracy"),
        ],
        steps_per_execution=plan.steps_per_execution,
        # TPUs compile in any case; mirrored replicas sum their gradients outside of XLA.
        jit_compile=plan.hardware.replicas == 1 and plan.hardware.kind != "tpu",
    )
    # If the first step created variables, it would be traced twice, and a resumed training needs
    # the metrics before it.
    network.optimizer.build(network.trainable_variables)
    scores = tf.zeros([1, 1])
    network.compiled_loss.build(scores)
    network.compiled_metrics.build(scores, scores)
    return schedule


def _optimizer(plan: TrainingPlan, rate: float | CosineSchedule) -> tf_keras.optimizers.Optimizer:
    """Creates AdamW (Loshchilov, Hutter 2019, arXiv:1711.05101); without decay it is Adam."""
    optimizer = tf_keras.optimizers.AdamW(rate, weight_decay=plan.hyperparameters.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "wide"])
    if plan.policy == "mixed_float16":
        return tf_keras.mixed_precision.LossScaleOptimizer(optimizer)
    return optimizer


def assign_weights(network: tf_keras.Model, weights: NamedWeights) -> list[str]:
    """Assigns the weights of trained layers whose name and shape match, for a warm start.

    Args:
        network: the network to train.
        weights: by name; if empty, the network is left as it is.

    Returns:
        The names of the assigned weights.
    """
    if not weights:
        return []
    variables = {
        weight_name(variable): variable
        for layer in network.layers
        if layer.trainable_weights
        for variable in layer.weights
    }
    assigned = [
        name
        for name, variable in variables.items()
        if name in weights and weights[name].shape == tuple(variable.shape)
    ]
    for name in assigned:
        variables[name].assign(weights[name])
    others = ", ".join(sorted(set(variables) - set(assigned)))
    suffix = f"; new or of another shape: {others}" if others else ""
    log.info("warm start: took %d of %d weights%s", len(assigned), len(variables), suffix)
    return assigned


class _HostBlocks:
    """The blocks of training events of each host that this process feeds.

    Attributes:
        by_host: are made when TensorFlow asks for the batches of a host.
    """

    def __init__(
        self,
        events: TrainingEvents,
        plan: TrainingPlan,
        environment: TrainingEnvironment,
        reached: tuple[int, int],
    ):
        self._events, self._plan, self._environment = events, plan, environment
        self._reached = reached
        self.by_host: dict[int, Blocks] = {}

    def batches(self, context: tf.distribute.InputContext) -> tf.data.Dataset:
        host, folder = context.input_pipeline_id, self._environment.event_folder
        part, plan = self._events.of_host(host), self._plan
        self.by_host[host] = FileBlocks(part, plan, folder) if folder else Blocks(part, plan)
        return training_dataset(self.by_host[host], *self._reached, context)

    def count_seen(self, epoch: int) -> int:
        """Returns the number of events that all hosts have read in an epoch, from 0."""
        own = [part.count_seen(epoch) for part in self.by_host.values()]
        return int(gather(self._environment.strategy, np.array(own)).sum())

    def release(self) -> None:
        for part in self.by_host.values():
            part.release()


@tf.autograph.experimental.do_not_convert  # there is nothing to convert
def _fit(
    network: WideAndDeep,
    tracker: EpochTracker,
    splits: Splits,
    plan: TrainingPlan,
    environment: TrainingEnvironment,
    reached: tuple[int, int],
    name: str,
) -> None:
    """Trains from an epoch and step on, both from 0; without validation events there is none."""
    first_epoch, network.first_step = reached
    strategy = environment.strategy
    blocks = _HostBlocks(splits.train, plan, environment, reached)
    network.fit(
        strategy.distribute_datasets_from_function(blocks.batches),
        validation_data=strategy.distribute_datasets_from_function(
            lambda context: validation_dataset(splits.validation, plan, context)
        )
        if len(splits.validation)
        else None,
        validation_steps=-(-len(splits.validation) // plan.batch_size),
        epochs=plan.hyperparameters.epochs,
        initial_epoch=first_epoch,
        steps_per_epoch=plan.steps_per_epoch,
        callbacks=[
            NanGuard(functools.partial(_diverged_error, network, blocks.by_host, name)),
            event_check(len(splits.train), blocks.count_seen, splits.train.source.name),
            ProgressLog(plan, network.first_step, name),
            LocalTensorBoard(
                environment.log_dir, write_graph=False, profile_batch=_profiled_calls(plan)
            ),
            tracker,
        ],
        verbose=0,
    )
    blocks.release()


def _profiled_calls(plan: TrainingPlan) -> int | tuple[int, int]:
    """Returns what TensorBoard profiles: the first steps of the second epoch, after warm-up.

    TensorBoard counts calls of the device, each of which runs ``steps_per_execution`` steps.
    """
    hyperparameters = plan.hyperparameters
    steps = min(hyperparameters.profile_steps, plan.steps_per_epoch)
    steps_per_call = plan.steps_per_execution
    first = 1 + math.ceil(plan.steps_per_epoch / steps_per_call)
    return (first, first - 1 + math.ceil(steps / steps_per_call)) if steps else 0


def _diverged_error(
    network: WideAndDeep, blocks: dict[int, Blocks], name: str, epoch: int, step: int
) -> DivergedError:
    part = next(iter(blocks.values()))
    columns, _ = next(iter(training_dataset(part, epoch, step - 1)))
    values = columns.numpy()
    finite = values[np.isfinite(values)]
    extent = f"run from {finite.min():g} to {finite.max():g}" if finite.size else "are not finite"
    return DivergedError(
        f"the loss was not finite at step {step} of {name} {epoch + 1}, at a learning rate of "
        f"{current_learning_rate(network.optimizer):.3g}; the batch's columns {extent}, and "
        f"{values.size - finite.size} of {values.size} values are NaN or infinite: lower "
        "learning_rate, or look for such values in the data"
    )
