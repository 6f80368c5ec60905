"""The wide-and-deep network.

A linear part side by side with blocks of Dense, BatchNormalization, activation and
Dropout (Cheng et al. 2016, arXiv:1606.07792); their sum, through a sigmoid, is the
probability of signal.
"""

from typing import Any

import tensorflow as tf
import tf_keras

from models.features import NUM_FEATURES
from models.hyperparameters import Hyperparameters
from models.normalization import Normalization

OUTPUT = "signal_probability"


class WideAndDeep(tf_keras.Model):
    """A functional model whose steps autograph leaves alone.

    Autograph would convert the whole call stack of Keras, which holds nothing to
    convert, and spend some 20 seconds on the first step.
    """

    @tf.autograph.experimental.do_not_convert
    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One step of gradient descent; returns the metrics by name."""
        return super().train_step(data)

    @tf.autograph.experimental.do_not_convert
    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One step of evaluation; returns the metrics by name."""
        return super().test_step(data)


def build_network(
    hyperparameters: Hyperparameters, normalization: Normalization, seed: int = 0
) -> WideAndDeep:
    """Builds the network, its weights and dropout drawn from the seed.

    Returns:
      A model from raw features float32 [N, 28] to signal probabilities float32 [N, 1].
    """
    features = tf_keras.Input([NUM_FEATURES], name="features")
    inputs = tf_keras.layers.Normalization(
        mean=normalization.mean, variance=normalization.spread**2, name="normalization"
    )(features)
    logits = tf_keras.layers.Add(name="logits", dtype="float32")(
        [_wide(inputs), _deep(inputs, hyperparameters, seed)]
    )
    probability = tf_keras.layers.Activation("sigmoid", name=OUTPUT, dtype="float32")(logits)
    return WideAndDeep(inputs=features, outputs=probability, name="wide_and_deep")


def _wide(inputs: tf.Tensor) -> tf.Tensor:
    return tf_keras.layers.Dense(1, kernel_initializer="zeros", name="wide")(inputs)


def _deep(inputs: tf.Tensor, hyperparameters: Hyperparameters, seed: int) -> tf.Tensor:
    layers = tf_keras.layers
    x = inputs
    for block in range(1, hyperparameters.blocks + 1):
        # Layers that share a seed would start alike.
        block_seed = seed + block
        x = layers.Dense(
            hyperparameters.units,
            kernel_initializer=_initializer(block_seed),
            name=f"dense_{block}",
        )(x)
        x = layers.BatchNormalization(name=f"batch_norm_{block}")(x)
        x = layers.Activation(hyperparameters.activation, name=f"activation_{block}")(x)
        x = layers.Dropout(hyperparameters.dropout, seed=block_seed, name=f"dropout_{block}")(x)
    return layers.Dense(1, kernel_initializer=_initializer(seed), name="deep", dtype="float32")(x)


def _initializer(seed: int) -> tf_keras.initializers.Initializer:
    return tf_keras.initializers.GlorotUniform(seed=seed)


def host_copy(network: tf_keras.Model) -> tf_keras.Model:
    """Copies a network, wherever it was trained, to this host's memory."""
    with tf.device("CPU"):
        copy = tf_keras.models.clone_model(network)
        copy.set_weights(network.get_weights())
    return copy


def count_parameters(network: tf_keras.Model) -> dict[str, int]:
    """Counts the weights, trained or not: ``wide``, ``deep`` (the others) and ``total``."""
    wide, total = network.get_layer("wide").count_params(), network.count_params()
    return {"wide": wide, "deep": total - wide, "total": total}
