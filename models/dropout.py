"""Dropout whose masks follow from the seed and the step alone."""

from typing import Any

import tensorflow as tf
import tf_keras

RESOLUTION = 2**16
"""A unit's fate is drawn with 16 bits, in half the time of 32; the rate is exact to 2^-16."""


class SeededDropout(tf_keras.layers.Layer):
    """Drops units as Keras' ``Dropout`` does (Srivastava et al. 2014, JMLR 15:1929).

    Keras' draws ignore their seeds in a step that XLA compiles, and begin anew when a training
    does. The number of the step is a weight here, so a training that is resumed from a checkpoint
    goes on with the masks that it would have had.
    """

    def __init__(self, rate: float, seed: int, **options: Any):
        """Construct the layer.

        Args:
          rate: share of units dropped, in [0, 1).
          seed: layers with the same one drop alike.
          options: Keras' own.
        """
        super().__init__(**options)
        self.rate = rate
        self.seed = seed

    def build(self, input_shape: Any) -> None:
        """Makes the counter of training steps."""
        self._step = self.add_weight(
            "step",
            shape=[],
            dtype=tf.int32,
            initializer="zeros",
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Drops and scales up what is left, in training only; any shape and float type."""
        if not training or not self.rate:
            return inputs
        threshold = round(self.rate * RESOLUTION)
        kept = self._draw(tf.shape(inputs)) >= threshold
        scale = tf.cast(RESOLUTION / (RESOLUTION - threshold), inputs.dtype)
        return tf.where(kept, inputs * scale, tf.zeros([], inputs.dtype))

    def _draw(self, shape: tf.Tensor) -> tf.Tensor:
        """Whole numbers from 0 to ``RESOLUTION``, other ones each step and replica."""
        context = tf.distribute.get_replica_context()
        step = self._step.assign_add(1)
        stream = step * context.num_replicas_in_sync + context.replica_id_in_sync_group
        count = tf.reduce_prod(shape)
        words = tf.random.stateless_uniform(
            [(count + 1) // 2], [self.seed, stream], minval=None, maxval=None, dtype=tf.uint32
        )
        halves = tf.reshape(tf.bitcast(words, tf.uint16), [-1])[:count]
        return tf.cast(tf.reshape(halves, shape), tf.int32)

    def get_config(self) -> dict[str, Any]:
        """What a copy is made from."""
        return super().get_config() | {"rate": self.rate, "seed": self.seed}
