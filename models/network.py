"""The wide-and-deep network (Cheng et al. 2016, arXiv:1606.07792) over columns.

Wide: a linear model over the normalized columns and the log odds of their buckets. Deep: blocks of
Dense, BatchNormalization, activation and Dropout over the same inputs. Their sum is the network's
logit. The model adds the forest's logit in ``models.serving.assembly``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from formats.names import SIGNAL_PROBABILITY
from formats.training_record import LayerRecord
from models.event_table import Array, EventTable
from models.layers.batch_normalization import BatchNormalization
from models.layers.bucketized_columns import Buckets, BucketWeights, fit_buckets
from models.layers.dense import Dense
from models.layers.finite_steps import FiniteSteps
from models.layers.seeded_dropout import SeededDropout
from models.training.training_plan import SizedHyperparameters

LOGITS = "logits"
"""Name of the layer whose output is the network's logit."""

CLIP = 5.0
"""Normalized columns are clipped to this many standard deviations to limit the influence of
outliers."""

PARTS = {
    **dict.fromkeys(("columns", "normalization", "clip", "inputs"), "inputs"),
    **dict.fromkeys(("buckets", "wide"), "wide"),
    **dict.fromkeys((LOGITS, SIGNAL_PROBABILITY), "output"),
}
"""The part of the network that a layer belongs to; all other layers are ``deep``."""

STATISTICS_CHUNK = 65_536
"""Events per chunk: sums in double precision without a copy of all events in double precision."""


Execution = Callable[[Iterator[Any]], dict[str, tf.Tensor]]
"""A function that runs steps on the next batches of an iterator, and returns metrics by name."""


@dataclass(frozen=True)
class ColumnStatistics:
    """Statistics of the training columns, measured before the network is built.

    Attributes:
        mean: float32 [columns].
        std: standard deviation, or 1 for a constant column, float32 [columns].
        buckets: the buckets of all columns; None for a network without buckets.
    """

    mean: Array
    std: Array
    buckets: Buckets | None


def measure_columns(events: EventTable, buckets: int) -> ColumnStatistics:
    """Measures the columns of the training events.

    Args:
        events: at least 1, with columns as features.
        buckets: number of buckets per column; 0 for none.
    """
    columns = events.features
    mean = _chunked_mean(columns, np.zeros(columns.shape[1]), power=1)
    std = np.sqrt(_chunked_mean(columns, mean, power=2))
    # The std of a constant column is a rounding error.
    is_constant = std <= 1e-6 * np.maximum(np.abs(mean), 1e-6)
    return ColumnStatistics(
        mean.astype(np.float32),
        np.where(is_constant, 1, std).astype(np.float32),
        fit_buckets(events, buckets) if buckets else None,
    )


def _chunked_mean(
    columns: Array, center: npt.NDArray[np.float64], *, power: int
) -> npt.NDArray[np.float64]:
    """Computes the mean of (x - center) ** power of each column."""
    starts = range(0, len(columns), STATISTICS_CHUNK)
    sums = (
        ((columns[start : start + STATISTICS_CHUNK] - center) ** power).sum(axis=0)
        for start in starts
    )
    return sum(sums, np.zeros_like(center)) / len(columns)


class WideAndDeep(tf_keras.Model):
    """A functional model that counts finite steps, and traces its steps once and as they are.

    Keras writes its loop over the steps of an execution for autograph, which would convert Keras'
    call stack, although it contains nothing to convert, and trace the first step twice: seconds
    for a small network.
    """

    train_function: Execution | None
    test_function: Execution | None

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.finite_steps = FiniteSteps(name="finite_steps")
        self.first_step = 0

    def _maybe_load_initial_counters_from_ckpt(
        self, _steps: int, initial_epoch: int
    ) -> tuple[int, int]:
        """Lets ``fit`` begin its first epoch at ``first_step``, as Keras' BackupAndRestore does."""
        return initial_epoch, self.first_step

    def make_train_function(self, force: bool = False) -> Execution:
        """Returns the function that ``fit`` calls for each execution."""
        if force or self.train_function is None:
            self.train_function = self._execution(self.train_step, self._train_counter)
        return self.train_function

    def make_test_function(self, force: bool = False) -> Execution:
        """Returns the function that ``evaluate`` calls for each execution."""
        if force or self.test_function is None:
            self.test_function = self._execution(self.test_step, self._test_counter)
        return self.test_function

    def train_step(self, batch: tuple[tf.Tensor, ...]) -> None:
        """Runs one step of gradient descent on columns and labels."""
        columns, labels = batch
        with tf.GradientTape() as tape:
            scores = self(columns, training=True)
            loss = self.compute_loss(columns, labels, scores)
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        self.finite_steps.update_state(loss)
        self.compiled_metrics.update_state(labels, scores)

    def test_step(self, batch: tuple[tf.Tensor, ...]) -> None:
        """Runs one step of validation on columns, labels and weights."""
        columns, labels, weights = batch
        scores = self(columns, training=False)
        self.compute_loss(columns, labels, scores, weights)
        self.compiled_metrics.update_state(labels, scores, weights)

    def _execution(self, step: Callable[[Any], None], counter: tf.Variable) -> Execution:
        """Returns a function that runs the steps of an execution, and returns the metrics."""
        if self.jit_compile:
            step = tf.function(step, jit_compile=True, autograph=False)

        @tf.function(autograph=False)
        def execute(batches: Iterator[Any]) -> dict[str, tf.Tensor]:
            def run_next(done: tf.Tensor) -> tf.Tensor:
                self.distribute_strategy.run(step, args=(next(batches),))
                return done + 1

            steps = tf.identity(self._steps_per_execution)
            tf.while_loop(lambda done: done < steps, run_next, [tf.zeros_like(steps)])
            counter.assign_add(steps)
            metrics: dict[str, tf.Tensor] = self.get_metrics_result()
            return metrics

        return execute


class Clip(tf_keras.layers.Layer):
    """Clips normalized columns to ``CLIP`` standard deviations."""

    def call(self, columns: tf.Tensor) -> tf.Tensor:
        """Clips float32 [N, columns]."""
        return tf.clip_by_value(columns, -CLIP, CLIP)


@tf.autograph.experimental.do_not_convert  # there is nothing to convert
def build_network(
    hyperparameters: SizedHyperparameters,
    statistics: ColumnStatistics,
    seed: int = 0,
    policy: str = "float32",
) -> WideAndDeep:
    """Builds the network; its weights and dropout masks follow from the seed.

    Args:
        hyperparameters: the shape of the network.
        statistics: of the training columns.
        seed: seed of weights and dropout.
        policy: Keras' mixed precision policy of the deep blocks; everything else is float32.

    Returns:
        A Keras model from columns, float32 [N, columns], to probabilities of signal,
        float32 [N, 1].
    """
    layers = tf_keras.layers
    columns = tf_keras.Input([len(statistics.mean)], name="columns")
    inputs = _inputs(columns, statistics)
    wide = layers.Dense(1, kernel_initializer="zeros", name="wide")(inputs)
    deep = _deep(inputs, hyperparameters, seed, policy)
    logits = layers.Add(name=LOGITS)([wide, deep])
    probability = layers.Activation("sigmoid", name=SIGNAL_PROBABILITY)(logits)
    return WideAndDeep(inputs=columns, outputs=probability, name="wide_and_deep")


def _inputs(columns: tf.Tensor, statistics: ColumnStatistics) -> tf.Tensor:
    layers = tf_keras.layers
    normalized = layers.Normalization(
        mean=statistics.mean, variance=statistics.std**2, name="normalization"
    )(columns)
    clipped = Clip(name="clip")(normalized)
    if statistics.buckets is None:
        return clipped
    log_odds = BucketWeights(statistics.buckets, name="buckets")(columns)
    return layers.Concatenate(name="inputs")([clipped, log_odds])


def _deep(
    inputs: tf.Tensor, hyperparameters: SizedHyperparameters, seed: int, policy: str
) -> tf.Tensor:
    layers = tf_keras.layers
    x = SeededDropout(hyperparameters.input_dropout, seed, name="input_dropout", dtype=policy)(
        inputs
    )
    for block in range(1, hyperparameters.blocks + 1):
        # Layers with the same seed would start with the same weights.
        block_seed = seed + block
        x = Dense(
            hyperparameters.units,
            kernel_initializer=_initializer(block_seed),
            name=f"dense_{block}",
            dtype=policy,
        )(x)
        x = BatchNormalization(name=f"batch_norm_{block}", dtype=policy)(x)
        x = layers.Activation(hyperparameters.activation, name=f"activation_{block}", dtype=policy)(
            x
        )
        x = SeededDropout(
            hyperparameters.dropout, block_seed, name=f"dropout_{block}", dtype=policy
        )(x)
    return layers.Dense(1, kernel_initializer=_initializer(seed), name="deep")(x)


def _initializer(seed: int) -> tf_keras.initializers.Initializer:
    return tf_keras.initializers.GlorotUniform(seed=seed)


def describe_layers(network: tf_keras.Model) -> tuple[LayerRecord, ...]:
    """Describes the layers of a network, in order."""
    return tuple(
        LayerRecord(
            name=layer.name,
            kind=type(layer).__name__,
            part=PARTS.get(layer.name, "deep"),
            output_shape=layer.output.shape[1:],
            parameters=_count_parameters(layer),
        )
        for layer in network.layers
    )


def _count_parameters(layer: tf_keras.layers.Layer) -> int:
    # Integers count steps.
    return sum(int(np.prod(weight.shape)) for weight in layer.weights if weight.dtype.is_floating)
