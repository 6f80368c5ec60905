"""Counts how many steps of an epoch had a finite loss, on the device and without a pause."""

from typing import Any

import tensorflow as tf
import tf_keras


class FiniteSteps(tf_keras.metrics.Metric):
    """The number of training steps before the first whose loss is NaN or infinite on any replica.

    A metric, so that it is reset each epoch, is summed over replicas and comes with the logs: which
    step it was is known whenever somebody looks.
    """

    def __init__(self, **options: Any):
        """Construct, under the strategy."""
        super().__init__(**options)
        self._replicas = tf.distribute.get_strategy().num_replicas_in_sync
        # Both begin at 0: what is assigned from outside of replicas is shared out among them.
        self._failed = self.add_weight("failed", initializer="zeros")
        self._steps = self.add_weight("steps", initializer="zeros")

    def update_state(self, loss: tf.Tensor) -> None:
        """Counts a step, of which this is one replica's loss."""
        context = tf.distribute.get_replica_context()
        # Sums alone, for TPUs add up over replicas whatever is assigned.
        failed = tf.cast(tf.logical_not(tf.math.is_finite(loss)), tf.float32)
        self._failed.assign_add(context.all_reduce(tf.distribute.ReduceOp.SUM, failed))
        self._steps.assign_add(tf.cast(tf.equal(self._failed, 0), tf.float32))

    def result(self) -> tf.Tensor:
        """Steps, a float32 scalar."""
        return self._steps / self._replicas
