"""The plan of a training: every hyperparameter, batch size, precision and learning rate.

It is fixed before the training starts. Hyperparameters that are None depend on the number of
training events (see docs/training.md).
"""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import tensorflow as tf
import tf_keras

from formats.hyperparameters import Hyperparameters
from formats.training_record import StrategyRecord
from models.training.hardware import choose_policy

log = logging.getLogger("higgs.trainer")

WARM_UP = 0.05
"""Share of the steps in which the learning rate of the cosine schedule rises to its peak."""


class SizedHyperparameters(Hyperparameters):
    """Hyperparameters that no longer depend on the number of events."""

    buckets: int
    units: int
    blocks: int
    dropout: float
    weight_decay: float
    batch_size_per_replica: int
    epochs: int
    trees: int
    tree_depth: int
    tree_learning_rate: float


EVENTS = (100_000, 3_000_000, math.inf)
SIZES: Mapping[str, tuple[float, ...]] = {
    "buckets": (12, 32, 64),
    "trees": (1000, 600, 600),
    "tree_depth": (6, 8, 8),
    "tree_learning_rate": (0.06, 0.1, 0.1),
    "units": (256, 512, 512),
    "blocks": (2, 3, 3),
    "dropout": (0.3, 0.2, 0.1),
    "weight_decay": (0.5, 0.05, 0.01),
    "batch_size_per_replica": (256, 1024, 2048),
    "epochs": (20, 20, 16),
}
"""Values of the hyperparameters that are None, by maximum number of training ``EVENTS``.

The first two were chosen at 30 thousand and 300 thousand events; the last extrapolates
(docs/training.md).
"""


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that determines a training.

    Attributes:
        hyperparameters: all of them, with their final values.
        seed: seed of weights, dropout and shuffling.
        hardware: the devices that it runs on.
        policy: Keras' mixed precision policy of the deep blocks.
        batch_size: events per step, over all replicas.
        steps_per_epoch: steps per epoch.
        steps_per_block: steps of the events that are shuffled together; two such blocks are in
            memory, or the only one of an epoch.
        peak_learning_rate: the highest learning rate.
    """

    hyperparameters: SizedHyperparameters
    seed: int
    hardware: StrategyRecord
    policy: str
    batch_size: int
    steps_per_epoch: int
    steps_per_block: int
    peak_learning_rate: float

    def for_refit(self, events: int, epochs: int) -> "TrainingPlan":
        """Returns the plan of a second training on more events, with the same batch and rate.

        Args:
            events: number of training events.
            epochs: number of epochs; they are not compared.
        """
        changes = {"epochs": epochs, "early_stopping_patience": None, "profile_steps": 0}
        steps = events // self.batch_size
        return replace(
            self,
            hyperparameters=self.hyperparameters.model_copy(update=changes),
            steps_per_epoch=steps,
            steps_per_block=steps if self.is_in_memory else self.steps_per_block,
        )

    @property
    def is_in_memory(self) -> bool:
        """Returns whether the training events stay in memory from epoch to epoch."""
        return self.steps_per_block >= self.steps_per_epoch

    def events_in_memory(self, events: int) -> int:
        """Returns how many of the training events are in memory at a time, over all hosts."""
        return events if self.is_in_memory else 2 * self.steps_per_block * self.batch_size

    @property
    def steps_per_execution(self) -> int:
        """Steps that the device runs between two calls from Python."""
        return min(self.hyperparameters.steps_per_execution, self.steps_per_epoch)


def size_hyperparameters(hyperparameters: Hyperparameters, events: int) -> SizedHyperparameters:
    """Fills in the hyperparameters that are None for a number of training events."""
    column = next(index for index, maximum in enumerate(EVENTS) if events <= maximum)
    suggested = {name: values[column] for name, values in SIZES.items()}
    chosen = hyperparameters.model_dump(exclude_none=True)
    missing = {field: None for field in Hyperparameters.model_fields if field not in chosen}
    return SizedHyperparameters(**{**missing, **suggested, **chosen})


def plan_training(
    events: int,
    hyperparameters: SizedHyperparameters,
    seed: int,
    hardware: StrategyRecord,
    *,
    window: int | None = None,
) -> TrainingPlan:
    """Computes batch size, precision, learning rate and the size of blocks.

    Args:
        events: number of training events.
        hyperparameters: all of them.
        seed: seed of weights, dropout and shuffling.
        hardware: the devices that the training will run on.
        window: number of training events that all hosts together hold in memory; None for all.

    Raises:
        ValueError: there are fewer training events than replicas.
    """
    batch_size = global_batch_size(
        events, hyperparameters.batch_size_per_replica, hardware.replicas
    )
    steps = events // batch_size
    return TrainingPlan(
        hyperparameters=hyperparameters,
        seed=seed,
        hardware=hardware,
        policy=choose_policy(hyperparameters.precision, hardware),
        batch_size=batch_size,
        steps_per_epoch=steps,
        steps_per_block=steps
        if window is None
        else steps_per_block(steps, window // batch_size, hyperparameters.steps_per_execution),
        peak_learning_rate=peak_learning_rate(hyperparameters, batch_size),
    )


def steps_per_block(steps: int, window: int, multiple: int) -> int:
    """Divides an epoch into equal blocks, two of which fit into the window.

    Args:
        steps: steps of an epoch.
        window: steps of the window.
        multiple: steps that the device runs at a time; a block ends between two such executions.

    >>> steps_per_block(steps=100, window=60, multiple=10)
    30
    """
    largest = max(multiple, window // 2 // multiple * multiple)
    blocks = math.ceil(steps / largest)
    return min(steps, math.ceil(steps / blocks / multiple) * multiple)


def global_batch_size(events: int, per_replica: int, replicas: int) -> int:
    """Computes the number of events of one training step over all replicas.

    If there are fewer events than one full batch, the batch is smaller, with equal shares for all
    replicas.

    Raises:
        ValueError: there are fewer events than replicas.
    """
    if events < replicas:
        raise ValueError(
            f"{events} training events cannot feed {replicas} replicas: "
            "train on more events or on fewer devices"
        )
    share = min(per_replica, events // replicas)
    if share < per_replica:
        log.info("only %d training events: %d per replica and step", events, share)
    return share * replicas


def peak_learning_rate(hyperparameters: Hyperparameters, batch_size: int) -> float:
    """Computes the learning rate of a global batch: proportional to the root of its size.

    Adam's steps have the same size for any batch; the square root keeps their noise the same
    (Malladi et al. 2022, arXiv:2205.10287).
    """
    if hyperparameters.learning_rate_batch is None:
        return hyperparameters.learning_rate
    scale = batch_size / hyperparameters.learning_rate_batch
    return hyperparameters.learning_rate * math.sqrt(scale)


class CosineSchedule(tf_keras.optimizers.schedules.CosineDecay):
    """Rises from 0 to the peak, then falls to 0 as a cosine (Loshchilov, Hutter 2017, 1608.03983).

    Its length is a variable: a compiled training step can be used for another number of steps.
    """

    def __init__(self, peak: float, steps: int):
        """Creates the variables; must be called under the strategy.

        Args:
            peak: the highest learning rate.
            steps: number of steps of the whole training.
        """
        # TensorFlow keeps int32 on the host, out of reach of a step that XLA compiles for a GPU.
        falling, rising = (tf.Variable(1, dtype=tf.int64, trainable=False) for _ in range(2))
        super().__init__(0.0, falling, warmup_target=peak, warmup_steps=rising)
        self.set_steps(steps)

    def set_steps(self, steps: int) -> None:
        """Sets the number of steps of the whole training."""
        rising = max(1, round(WARM_UP * steps))
        self.warmup_steps.assign(rising)
        self.decay_steps.assign(max(1, steps - rising))
