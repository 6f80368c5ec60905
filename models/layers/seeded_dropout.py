"""Dropout whose masks follow from the seed and the step alone."""

from typing import Any

import tensorflow as tf
import tf_keras

RESOLUTION = 2**32
"""A unit's fate is drawn with 32 bits."""


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
            # TensorFlow keeps an int32 on the host, where a step that XLA compiles for a GPU
            # cannot reach it.
            dtype=tf.int64,
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
        threshold = round(self.rate * RESOLUTION) - RESOLUTION // 2
        kept = self._draw(tf.shape(inputs)) >= threshold
        scale = tf.cast(1 / (1 - self.rate), inputs.dtype)
        return tf.where(kept, inputs * scale, tf.zeros([], inputs.dtype))

    def _draw(self, shape: tf.Tensor) -> tf.Tensor:
        """Any int32 as likely as another, other ones each step and replica."""
        context = tf.distribute.get_replica_context()
        step = self._step.assign_add(1)
        replica = tf.cast(context.replica_id_in_sync_group, step.dtype)
        stream = step * context.num_replicas_in_sync + replica
        begin = scramble(
            scramble(tf.constant(self.seed % RESOLUTION, tf.uint32)) + tf.cast(stream, tf.uint32)
        )
        places = tf.reshape(tf.range(tf.reduce_prod(shape)), shape)
        return tf.bitcast(scramble(tf.cast(places, tf.uint32) + begin), tf.int32)

    def get_config(self) -> dict[str, Any]:
        """What a copy is made from."""
        return super().get_config() | {"rate": self.rate, "seed": self.seed}


def scramble(values: tf.Tensor) -> tf.Tensor:
    """A bijection of uint32 whose every output bit depends on every input bit, in few operations.

    Wellons 2018, "Prospecting for Hash Functions", lowbias32. TensorFlow's own generator, Philox,
    is fit for more than masks, and took a tenth of a training step at 2,048 units.
    """
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        values = _fold(values, shift) * tf.constant(factor, tf.uint32)
    return _fold(values, 16)


def _fold(values: tf.Tensor, shift: int) -> tf.Tensor:
    high = tf.bitwise.right_shift(values, tf.constant(shift, tf.uint32))
    return tf.bitwise.bitwise_xor(values, high)
