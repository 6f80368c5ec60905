"""Dropout whose masks depend only on the seed and the step, so that a training can resume.

Keras' ``Dropout`` ignores its seed in a step that XLA compiles, and starts a new sequence in each
process; its generator also took a tenth of a training step at 2,048 units. Delete this layer when
Keras' own keeps its generator in the checkpoint, is seeded in XLA, and is as fast.
"""

from typing import Any

import tensorflow as tf
import tf_keras

RESOLUTION = 2**32
"""Whether a unit is dropped is drawn with 32 bits."""


class SeededDropout(tf_keras.layers.Layer):
    """Drops units as Keras' ``Dropout`` does (Srivastava et al. 2014, JMLR 15:1929).

    The number of the step is a weight, so a training that resumes from a checkpoint has the same
    masks as one that was not interrupted.
    """

    def __init__(self, rate: float, seed: int, **options: Any):
        """Creates the layer.

        Args:
            rate: share of units dropped, in [0, 1).
            seed: layers with the same seed have the same masks.
            options: those of every Keras layer.
        """
        super().__init__(**options)
        self.rate = rate
        self.seed = seed

    def build(self, input_shape: Any) -> None:
        """Creates the counter of training steps."""
        self._step = self.add_weight(
            "step",
            shape=[],
            # TensorFlow keeps int32 on the host, where a step compiled by XLA for a GPU cannot
            # reach it.
            dtype=tf.int64,
            initializer="zeros",
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Drops units and scales up the others, in training only; any shape and float type."""
        if not training or not self.rate:
            return inputs
        threshold = round(self.rate * RESOLUTION) - RESOLUTION // 2
        is_kept = self._draw(tf.shape(inputs)) >= threshold
        scale = tf.cast(1 / (1 - self.rate), inputs.dtype)
        return tf.where(is_kept, inputs * scale, tf.zeros([], inputs.dtype))

    def _draw(self, shape: tf.Tensor) -> tf.Tensor:
        """Draws uniform int32, different ones for each step and replica."""
        context = tf.distribute.get_replica_context()
        step = self._step.assign_add(1)
        replica = tf.cast(context.replica_id_in_sync_group, step.dtype)
        stream = step * context.num_replicas_in_sync + replica
        offset = scramble(
            scramble(tf.constant(self.seed % RESOLUTION, tf.uint32)) + tf.cast(stream, tf.uint32)
        )
        positions = tf.reshape(tf.range(tf.reduce_prod(shape)), shape)
        return tf.bitcast(scramble(tf.cast(positions, tf.uint32) + offset), tf.int32)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments from which Keras makes a copy."""
        return super().get_config() | {"rate": self.rate, "seed": self.seed}


def scramble(values: tf.Tensor) -> tf.Tensor:
    """Maps uint32 one-to-one to uint32 whose every bit depends on every input bit.

    The hash function lowbias32 (Wellons 2018, "Prospecting for Hash Functions").
    """
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        values = _fold(values, shift) * tf.constant(factor, tf.uint32)
    return _fold(values, 16)


def _fold(values: tf.Tensor, shift: int) -> tf.Tensor:
    high = tf.bitwise.right_shift(values, tf.constant(shift, tf.uint32))
    return tf.bitwise.bitwise_xor(values, high)
