"""The wide-and-deep network (Cheng et al. 2016, arXiv:1606.07792) over columns.

Wide: a linear model over the normalised columns and their buckets' weights. Deep: blocks of Dense,
BatchNormalization, activation and Dropout over the same. Their sum, through a sigmoid, is the
probability of signal. The wide part's crossed columns, the leaves of boosted trees, are fitted on
their own and join in ``models.serving.assembly``.
"""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf
import tf_keras

from models.event_table import Events
from models.layers.batch_normalization import BatchNormalization
from models.layers.bucketized_columns import Buckets, BucketWeights, measure_buckets
from models.layers.dense import Dense
from models.layers.seeded_dropout import SeededDropout
from models.training.finite_steps import FiniteSteps
from models.training.normalization import Normalization, measure
from models.training.sizing import SizedHyperparameters

OUTPUT = "signal_probability"
LOGITS = "logits"

CLIP = 5.0
"""Normalised columns stay within so many spreads of the mean, so that no outlier speaks alone."""


@dataclass(frozen=True)
class Preparation:
    """What was measured of the training's columns before the network sees them.

    Attributes:
      normalization: their mean and spread.
      buckets: their buckets, or None for a network that takes none.
    """

    normalization: Normalization
    buckets: Buckets | None


def prepare(events: Events, hyperparameters: SizedHyperparameters) -> Preparation:
    """Measures the columns of the training events."""
    return Preparation(
        measure(events.features),
        measure_buckets(events, hyperparameters.buckets) if hyperparameters.buckets else None,
    )


class WideAndDeep(tf_keras.Model):
    """A functional model whose steps autograph leaves alone, and which notes when it diverged.

    Autograph would convert the whole call stack of Keras, which holds nothing to
    convert, and spend some 20 seconds on the first step.
    """

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.finite_steps = FiniteSteps(name="finite_steps")

    @tf.autograph.experimental.do_not_convert
    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One step of gradient descent; returns the metrics by name."""
        columns, labels = data
        with tf.GradientTape() as tape:
            scores = self(columns, training=True)
            loss = self.compute_loss(columns, labels, scores)
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        self.finite_steps.update_state(loss)
        return self.compute_metrics(columns, labels, scores, None)

    @tf.autograph.experimental.do_not_convert
    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One step of evaluation; returns the metrics by name."""
        return super().test_step(data)


def build_network(
    hyperparameters: SizedHyperparameters,
    preparation: Preparation,
    seed: int = 0,
    policy: str = "float32",
) -> WideAndDeep:
    """Builds the network, its weights and dropout drawn from the seed.

    Args:
      hyperparameters: the network's shape.
      preparation: of the columns that it will see.
      seed: of weights and dropout.
      policy: Keras' mixed precision policy of the deep blocks; all else is float32.

    Returns:
      A model from float32 [N, columns] to signal probabilities float32 [N, 1].
    """
    layers = tf_keras.layers
    columns = tf_keras.Input([len(preparation.normalization.mean)], name="columns")
    inputs = _inputs(columns, preparation)
    wide = layers.Dense(1, kernel_initializer="zeros", name="wide")(inputs)
    deep = _deep(inputs, hyperparameters, seed, policy)
    logits = layers.Add(name=LOGITS)([wide, deep])
    probability = layers.Activation("sigmoid", name=OUTPUT)(logits)
    return WideAndDeep(inputs=columns, outputs=probability, name="wide_and_deep")


def _inputs(columns: tf.Tensor, preparation: Preparation) -> tf.Tensor:
    layers = tf_keras.layers
    normalization = preparation.normalization
    normalized = layers.Normalization(
        mean=normalization.mean, variance=normalization.spread**2, name="normalization"
    )(columns)
    clipped = Clip(name="clip")(normalized)
    if preparation.buckets is None:
        return clipped
    weights = BucketWeights(preparation.buckets, name="buckets")(columns)
    return layers.Concatenate(name="inputs")([clipped, weights])


class Clip(tf_keras.layers.Layer):
    """Normalised columns to within ``CLIP`` spreads."""

    def call(self, columns: tf.Tensor) -> tf.Tensor:
        """Clips float32 [N, columns]."""
        return tf.clip_by_value(columns, -CLIP, CLIP)


def _deep(
    inputs: tf.Tensor, hyperparameters: SizedHyperparameters, seed: int, policy: str
) -> tf.Tensor:
    layers = tf_keras.layers
    x = SeededDropout(hyperparameters.input_dropout, seed, name="input_dropout", dtype=policy)(
        inputs
    )
    for block in range(1, hyperparameters.blocks + 1):
        # Layers that share a seed would start alike.
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
