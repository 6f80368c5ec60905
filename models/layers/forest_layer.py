"""The forest as a Keras layer, so that the exported model needs no LightGBM.

Delete it when TensorFlow has an operation for boosted trees that XLA compiles.
"""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from models.training.boosted_trees import Forest


class ForestLayer(tf_keras.layers.Layer):
    """Maps columns, float32 [N, columns], to the forest's logit, float32 [N, 1].

    All trees are descended at once, one level per step. The number of steps is static, so that XLA
    can compile it.
    """

    def __init__(self, forest: Forest, **options: Any):
        """Creates weights from the forest's arrays; they are not trained."""
        super().__init__(trainable=False, **options)
        self._depth = forest.depth
        trees, nodes = forest.column.shape
        self._first = tf.constant(nodes * np.arange(trees, dtype=np.int32))
        self._column = self._add("column", forest.column)
        self._threshold = self._add("threshold", forest.threshold)
        self._children = self._add("children", forest.children)
        self._weight = self._add("weight", forest.weight)

    def _add(self, name: str, array: np.ndarray) -> tf.Variable:
        flat, name = array.reshape(-1), f"{self.name}/{name}"
        constant = tf_keras.initializers.Constant(flat)
        return self.add_weight(
            name, flat.shape, dtype=flat.dtype, initializer=constant, trainable=False
        )

    def call(self, columns: tf.Tensor) -> tf.Tensor:
        """Descends every tree and sums the weights of the leaves."""
        node = tf.zeros_like(columns[:, :1], tf.int32) + self._first
        for _ in range(self._depth):
            value = tf.gather(columns, tf.gather(self._column, node), axis=1, batch_dims=1)
            goes_right = tf.cast(value > tf.gather(self._threshold, node), tf.int32)
            node = self._first + tf.gather(self._children, 2 * node + goes_right)
        return tf.reduce_sum(tf.gather(self._weight, node), axis=1, keepdims=True)
