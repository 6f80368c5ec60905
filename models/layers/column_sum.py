"""Column sums of a batch, three times as fast with XLA on CPUs.

XLA for CPUs sums a column by striding down it, kilobytes at a time, which took a fifth of a
training step at 2,048 units. Here parts of the batch are added first, row by row. Delete this when
``tf.reduce_sum`` over axis 0 is as fast in XLA.
"""

import tensorflow as tf

HALVINGS = 3


def column_sum(values: tf.Tensor) -> tf.Tensor:
    """Sums each column of [N, units]; fast if N is static and a multiple of 8.

    Halves are added pair by pair, and not all parts by ``tf.add_n``, whose order, and with it the
    last digit, may depend on the load of the machine (``models.physics.kinematics.sum_rows``).
    """
    rows = values.shape[0]
    if rows is not None and rows % 2**HALVINGS == 0:
        for _ in range(HALVINGS):
            first, second = tf.split(values, 2)
            values = first + second
    return tf.reduce_sum(values, axis=0)
