"""Dense layer whose bias gradient is summed by ``column_sum``, which is faster on CPUs.

Delete it, in favor of Keras' own, together with ``column_sum``.
"""

from collections.abc import Callable

import tensorflow as tf
import tf_keras

from models.layers.column_sum import column_sum


class Dense(tf_keras.layers.Dense):
    """Keras' layer in values and weights, with a faster gradient; it applies no activation."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Maps [N, columns] to [N, units]."""
        return add_bias(tf.matmul(inputs, self.kernel), tf.convert_to_tensor(self.bias))


@tf.custom_gradient
def add_bias(
    values: tf.Tensor, bias: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
    """Adds a bias [units] to [N, units]; its gradient is summed in float32."""

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return upstream, tf.cast(column_sum(tf.cast(upstream, tf.float32)), bias.dtype)

    return values + bias, gradient
