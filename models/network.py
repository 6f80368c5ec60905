"""The wide-and-deep network (Cheng et al. 2016, arXiv:1606.07792) over columns.

Wide: a linear model over the normalized columns and the log odds of their buckets. Deep: blocks of
Dense, BatchNormalization, activation and Dropout over the same inputs. Their sum is the network's
logit. The model adds the forest's logit in ``models.serving.assembly``.
"""

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
    """A functional model that autograph does not convert, and that counts finite steps.

    Autograph would convert Keras' whole call stack, which contains nothing to convert, and spend
    about 20 seconds on the first step.
    """

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.finite_steps = FiniteSteps(name="finite_steps")
        self.first_step = 0

    def _maybe_load_initial_counters_from_ckpt(
        self, _steps: int, initial_epoch: int
    ) -> tuple[int, int]:
        """Lets ``fit`` begin its first epoch at ``first_step``, as Keras' BackupAndRestore does."""
        return initial_epoch, self.first_step

    @tf.autograph.experimental.do_not_convert
    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Runs one step of gradient descent; returns the metrics by name."""
        columns, labels = data
        with tf.GradientTape() as tape:
            scores = self(columns, training=True)
            loss = self.compute_loss(columns, labels, scores)
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        self.finite_steps.update_state(loss)
        return self.compute_metrics(columns, labels, scores, None)

    @tf.autograph.experimental.do_not_convert
    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Runs one step of validation; returns the metrics by name."""
        return super().test_step(data)


class Clip(tf_keras.layers.Layer):
    """Clips normalized columns to ``CLIP`` standard deviations."""

    def call(self, columns: tf.Tensor) -> tf.Tensor:
        """Clips float32 [N, columns]."""
        return tf.clip_by_value(columns, -CLIP, CLIP)


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
