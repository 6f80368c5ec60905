"""Sums over a batch.

XLA for CPUs sums a column by walking down it, a stride of kilobytes at a time, which took a fifth
of a training step at 2,048 units. Parts of the batch that are added first are walked row by row.
"""

import tensorflow as tf

PARTS = 8


def column_sum(values: tf.Tensor) -> tf.Tensor:
    """The sum of each column of [N, units]; the fast way where N is known and of equal parts."""
    rows = values.shape[0]
    if rows is None or rows % PARTS:
        return tf.reduce_sum(values, axis=0)
    return tf.reduce_sum(tf.add_n(tf.split(values, PARTS)), axis=0)
