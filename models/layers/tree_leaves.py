"""The wide part's crossed columns in the graph: in which leaf of each tree an event ends."""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from models.training.boosted_trees import Forest


class Leaves(tf_keras.layers.Layer):
    """Columns, float32 [N, columns], to the sum of their leaves' weights, float32 [N, 1].

    All trees take their cuts at once, one level a step; the number of steps is static, so XLA
    compiles it.
    """

    def __init__(self, forest: Forest, **options: Any):
        """Holds the forest's arrays as weights that are not trained."""
        super().__init__(trainable=False, **options)
        self._depth = forest.depth
        trees, nodes = forest.column.shape
        self._first = tf.constant(nodes * np.arange(trees, dtype=np.int32))
        self._column = self._hold("column", forest.column)
        self._threshold = self._hold("threshold", forest.threshold)
        self._children = self._hold("children", forest.children)
        self._weight = self._hold("weight", forest.weight)

    def _hold(self, name: str, array: np.ndarray) -> tf.Variable:
        flat, name = array.reshape(-1), f"{self.name}/{name}"
        constant = tf_keras.initializers.Constant(flat)
        return self.add_weight(
            name, flat.shape, dtype=flat.dtype, initializer=constant, trainable=False
        )

    def call(self, columns: tf.Tensor) -> tf.Tensor:
        """Goes down every tree and sums what it finds."""
        node = tf.zeros_like(columns[:, :1], tf.int32) + self._first
        for _ in range(self._depth):
            value = tf.gather(columns, tf.gather(self._column, node), axis=1, batch_dims=1)
            goes_right = tf.cast(value > tf.gather(self._threshold, node), tf.int32)
            node = self._first + tf.gather(self._children, 2 * node + goes_right)
        return tf.reduce_sum(tf.gather(self._weight, node), axis=1, keepdims=True)
