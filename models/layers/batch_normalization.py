"""Batch normalization (Ioffe, Szegedy 2015, arXiv:1502.03167) with few passes over the activations.

It has the values and weights of Keras' layer; the gradient is written out and its sums are those
of ``column_sum``. Delete it when Keras' layer is as fast with XLA on CPUs.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras

from models.layers.column_sum import column_sum

MOMENTUM, EPSILON = 0.99, 1e-3
"""Keras' defaults."""

Normalized = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


class BatchNormalization(tf_keras.layers.Layer):
    """Normalizes each unit by its batch in training, by moving averages otherwise.

    All arithmetic is float32, for any type of the activations.
    """

    def build(self, input_shape: Any) -> None:
        """Creates scale, shift and the moving averages, float32 [units]."""
        self.gamma = self._add("gamma", input_shape, "ones")
        self.beta = self._add("beta", input_shape, "zeros")
        # Each replica sees a different part of a batch.
        moving = {
            "trainable": False,
            "synchronization": tf.VariableSynchronization.ON_READ,
            "aggregation": tf.VariableAggregation.MEAN,
        }
        self.moving_mean = self._add("moving_mean", input_shape, "zeros", **moving)
        self.moving_variance = self._add("moving_variance", input_shape, "ones", **moving)
        super().build(input_shape)

    def _add(self, name: str, input_shape: Any, initializer: str, **options: Any) -> tf.Variable:
        return self.add_weight(
            name,
            shape=[input_shape[-1]],
            dtype=tf.float32,
            initializer=initializer,
            experimental_autocast=False,
            **options,
        )

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Normalizes [N, units] of any float type."""
        if training:
            outputs, mean, variance = normalize(inputs, self.gamma, self.beta)
            for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
                average.assign_sub((average - value) * (1 - MOMENTUM))
            return outputs
        scale = self.gamma * tf.math.rsqrt(self.moving_variance + EPSILON)
        shift = self.beta - self.moving_mean * scale
        return tf.cast(tf.cast(inputs, tf.float32) * scale + shift, inputs.dtype)


@tf.custom_gradient
def normalize(
    inputs: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor
) -> tuple[Normalized, Callable[..., Normalized]]:
    """Normalizes a batch [N, units] by its own mean and variance.

    Returns:
        The outputs in the type of the inputs, and mean and variance, float32 [units]. Only the
        outputs may be differentiated.
    """
    count = tf.cast(tf.shape(inputs)[0], tf.float32)
    values = tf.cast(inputs, tf.float32)
    mean = column_sum(values) / count
    variance = column_sum(tf.square(values - mean)) / count
    inverse = tf.math.rsqrt(variance + EPSILON)
    outputs = tf.cast((values - mean) * (gamma * inverse) + beta, inputs.dtype)

    def gradient(upstream: tf.Tensor, *_: tf.Tensor) -> Normalized:
        """Returns the derivatives by inputs, gamma and beta, as in section 3 of the paper."""
        by_output = tf.cast(upstream, tf.float32)
        normalized = (tf.cast(inputs, tf.float32) - mean) * inverse
        by_beta = column_sum(by_output)
        by_gamma = column_sum(by_output * normalized)
        by_input = gamma * inverse * (by_output - (by_beta + normalized * by_gamma) / count)
        return tf.cast(by_input, inputs.dtype), by_gamma, by_beta

    return (outputs, mean, variance), gradient
