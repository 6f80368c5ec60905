"""Fit of the model: columns, network, forest and blend, and the training record."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tf_keras

from formats.hyperparameters import Hyperparameters
from formats.package_versions import package_versions
from formats.training_record import (
    BlendRecord,
    ForestRecord,
    LayerRecord,
    ParameterCounts,
    RefitRecord,
    TrainingRecord,
)
from models.network import describe_layers
from models.physics.input_columns import column_names, compute_columns
from models.serving.assembly import assemble, blend_on, copy_to_host
from models.serving.saved_model import NamedWeights
from models.training.boosted_trees import Forest, grow_forest
from models.training.event_survey import Splits
from models.training.hardware import Machine
from models.training.network_fit import TrainedNetwork, TrainingEnvironment, refit, train
from models.training.training_plan import TrainingPlan, plan_training, size_hyperparameters

WINDOW_EVENTS = 1 << 20
"""Training events in memory if not all of them fit: 16 row groups."""


@dataclass(frozen=True)
class FittedModel:
    """A model ready to serve, its parts, and how they were trained.

    Attributes:
        model: from published features float32 [N, 28] to probabilities float32 [N, 1], on the host.
        network: the network in it, on the host.
        trained: how the network was trained on the training events alone.
        refitted: how it was trained again on all events; None if it was not.
        forest: the forest in it; None for a model without trees.
        blend: the weights of network and forest, fitted before they were trained again; None
            without a forest.
        events: number of events by part.
    """

    model: tf_keras.Model
    network: tf_keras.Model
    trained: TrainedNetwork
    refitted: TrainedNetwork | None
    forest: Forest | None
    blend: BlendRecord | None
    events: dict[str, int]

    def to_record(self) -> TrainingRecord:
        """Returns the record of the training."""
        trained, plan = self.trained, self.trained.plan
        layers = describe_layers(self.network)
        return TrainingRecord(
            seed=plan.seed,
            strategy=plan.hardware,
            precision=plan.policy,
            hyperparameters=plan.hyperparameters.model_dump(),
            parameters=count_parameters(layers, self.forest),
            layers=layers,
            trees=_forest_record(self.forest),
            blend=self.blend,
            events=self.events,
            events_in_memory=plan.events_in_memory(self.events["train"]),
            batch_size=plan.batch_size,
            steps_per_epoch=plan.steps_per_epoch,
            peak_learning_rate=plan.peak_learning_rate,
            epochs=tuple(map(dict, trained.epochs)),
            epoch_kept=trained.epoch_kept,
            resumed_at=trained.resumed_at[0],
            resumed_step=trained.resumed_at[1],
            warm_start=tuple(trained.warm_start),
            events_per_second=float(
                np.median([epoch["events_per_second"] for epoch in trained.epochs])
            ),
            seconds=sum(
                epoch["seconds"]
                for fit in (trained, self.refitted)
                if fit is not None
                for epoch in fit.epochs
            ),
            packages=package_versions(),
            refit=self._refit_record(),
        )

    def _refit_record(self) -> RefitRecord | None:
        if self.refitted is None:
            return None
        return RefitRecord(
            events=sum(self.events.values()),
            steps_per_epoch=self.refitted.plan.steps_per_epoch,
            epochs=tuple(map(dict, self.refitted.epochs)),
            resumed_at=self.refitted.resumed_at[0],
            resumed_step=self.refitted.resumed_at[1],
        )


def count_parameters(
    layers: tuple[LayerRecord, ...], forest: Forest | None = None
) -> ParameterCounts:
    """Counts the weights of a model by part; the leaves of the forest are part of ``wide``."""
    wide, deep = (
        sum(layer.parameters for layer in layers if layer.part == part) for part in ("wide", "deep")
    )
    wide += 0 if forest is None else forest.leaves
    return ParameterCounts(wide=wide, deep=deep, total=wide + deep)


def _forest_record(forest: Forest | None) -> ForestRecord | None:
    if forest is None:
        return None
    return ForestRecord(trees=len(forest.column), leaves=forest.leaves, events=forest.events)


def fit(
    splits: Splits,
    hyperparameters: Hyperparameters,
    *,
    seed: int,
    machine: Machine,
    log_dir: str,
    window: int | None = None,
    checkpoint_dir: str | None = None,
    initial_weights: NamedWeights | None = None,
) -> FittedModel:
    """Derives the columns, trains the network, grows the forest and assembles the model.

    With at most ``refit_events`` events, network and forest are then trained again on all of them,
    validation events included. The blend stays that of the first network and forest, which had not
    learned from the events that it was fitted on.

    Args:
        splits: training and validation events.
        hyperparameters: those that are None follow the number of training events.
        seed: seed of all random numbers.
        machine: from ``find_machine``.
        log_dir: folder for TensorBoard.
        window: from ``choose_window``; None to hold all training events in memory.
        checkpoint_dir: folder for the checkpoints of this training, from which it resumes; None
            for a training that is not resumed.
        initial_weights: weights of an earlier model for the network to start with.

    Raises:
        DivergedError: the loss was not finite.
        EventCountError: the files changed since the survey.
        TPUUnavailableError: a host of a TPU cannot read its events.
        ValueError: there are fewer training events than replicas.
    """
    sized = size_hyperparameters(hyperparameters, len(splits.train))
    derived = sized.derived_columns
    plan = plan_training(splits.train.usable, sized, seed, machine.hardware, window=window)
    is_refitted = len(splits) <= sized.refit_events
    event_folder = f"{checkpoint_dir or log_dir}/events" if machine.first_host else None
    environment = TrainingEnvironment(machine.strategy, log_dir, checkpoint_dir, event_folder)
    with tf.device(machine.first_host):
        trained = train(
            splits, plan, environment, initial_weights=initial_weights, restartable=is_refitted
        )
    network = copy_to_host(trained.network, sized, trained.statistics)
    forest, blend = _grow(splits, plan), None
    if forest is not None:
        validation = compute_columns(splits.validation, derived=derived)
        blend = blend_on(network, forest, validation)
    refitted = None
    if is_refitted:
        united = splits.united()
        with tf.device(machine.first_host):
            refitted = refit(trained, united)
        network = copy_to_host(refitted.network, sized, refitted.statistics)
        forest = _grow(united, plan)
    model = assemble(network, forest, blend, derived=derived)
    events = {"train": len(splits.train), "validation": len(splits.validation)}
    return FittedModel(model, network, trained, refitted, forest, blend, events)


def _grow(splits: Splits, plan: TrainingPlan) -> Forest | None:
    """Grows the forest on the sample of the training events, if the model has one."""
    hyperparameters = plan.hyperparameters
    if not hyperparameters.trees:
        return None
    events = splits.sample[: hyperparameters.tree_events]
    columns = compute_columns(events, derived=hyperparameters.derived_columns)
    return grow_forest(columns, hyperparameters, plan.seed)


def choose_window(
    events_by_host: Sequence[int], memory: int, hyperparameters: Hyperparameters
) -> int | None:
    """Chooses how many training events all hosts together hold in memory.

    Args:
        events_by_host: number of training events of each host.
        memory: bytes that the events of a host may use.
        hyperparameters: decide on the columns of an event.

    Returns:
        The number; None if all events fit.
    """
    columns = len(column_names(derived=hyperparameters.derived_columns))
    # Columns and label, and an index in the order of the batches.
    fitting = memory // (4 * (columns + 1) + 4)
    if max(events_by_host) <= fitting:
        return None
    return min(WINDOW_EVENTS, fitting) * len(events_by_host)
