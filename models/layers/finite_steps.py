"""Metric that counts the steps of an epoch with a finite loss.

It finds the first step whose loss is NaN or infinite without waiting for the device after each
step. Delete it when Keras' ``TerminateOnNaN`` does so as well.
"""

from typing import Any

import tensorflow as tf
import tf_keras


class FiniteSteps(tf_keras.metrics.Metric):
    """Number of training steps before the first whose loss is not finite on any replica.

    As a metric it is reset at each epoch, summed over replicas, and part of the logs that Keras
    passes to callbacks.
    """

    def __init__(self, **options: Any):
        """Creates the counters; must be called under the strategy."""
        super().__init__(**options)
        self._replicas = tf.distribute.get_strategy().num_replicas_in_sync
        # Both begin at 0: a value that is assigned outside of replicas is divided among them.
        self._failed = self.add_weight("failed", initializer="zeros")
        self._steps = self.add_weight("steps", initializer="zeros")

    def update_state(self, loss: tf.Tensor) -> None:
        """Counts a step; ``loss`` is that of this replica."""
        context = tf.distribute.get_replica_context()
        # Only sums, because TPUs add up over replicas whatever is assigned.
        failed = tf.cast(tf.logical_not(tf.math.is_finite(loss)), tf.float32)
        self._failed.assign_add(context.all_reduce(tf.distribute.ReduceOp.SUM, failed))
        self._steps.assign_add(tf.cast(tf.equal(self._failed, 0), tf.float32))

    def result(self) -> tf.Tensor:
        """Returns the number of steps, a float32 scalar."""
        return self._steps / self._replicas
