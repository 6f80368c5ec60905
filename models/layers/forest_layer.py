"""The forest as a Keras layer, so that the exported model needs no CatBoost.

Delete it when TensorFlow has an operation for boosted trees that XLA compiles.
"""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from models.training.boosted_trees import Forest


class ForestLayer(tf_keras.layers.Layer):
    """Maps columns, float32 [N, columns], to the forest's logit, float32 [N, 1].

    All trees are evaluated at once by arithmetic on whole arrays. Events are the last dimension, so
    that every operation reads and writes them in a row. Trees share many of their cuts, so each
    different cut is compared once, and the levels select among the results, one byte each. The cuts
    are a table, because selecting their columns takes longer than the comparisons it saves.
    """

    def __init__(self, forest: Forest, **options: Any):
        super().__init__(trainable=False, **options)
        self._forest = forest

    def build(self, input_shape: Any) -> None:
        """Creates weights from the forest's arrays; they are not trained."""
        trees, depth = self._forest.column.shape
        cuts = np.stack([self._forest.column.ravel(), self._forest.border.ravel()])
        (column, border), cut_of_level = np.unique(cuts, axis=1, return_inverse=True)
        column = column.astype(np.int32)
        rank = np.arange(len(column)) - np.searchsorted(column, column)
        borders = np.full([rank.max() + 1, input_shape[1]], np.inf, np.float32)
        borders[rank, column] = border
        place = np.ravel_multi_index((rank, column), borders.shape)
        cut = place[cut_of_level].reshape(trees, depth).T
        self._borders = self._add("borders", borders[..., None])
        self._cut = self._add("cut", cut.astype(np.int32))
        self._weight = self._add("weight", self._forest.weight.ravel())
        self._first = 2**depth * np.arange(trees, dtype=np.int32)
        super().build(input_shape)

    def _add(self, name: str, array: np.ndarray) -> tf.Variable:
        constant = tf_keras.initializers.Constant(array)
        return self.add_weight(
            name,
            array.shape,
            dtype=array.dtype,
            initializer=constant,
            trainable=False,
        )

    def call(self, columns: tf.Tensor) -> tf.Tensor:
        """Finds the leaf of every tree and sums the weights of the leaves."""
        table, depth = self._borders.shape.num_elements(), self._cut.shape[0]
        is_above = tf.cast(tf.transpose(columns) > self._borders, tf.uint8)
        is_above = tf.reshape(is_above, [table, -1])
        # A byte holds the levels of a tree up to a depth of 8.
        leaf = sum(tf.gather(is_above, self._cut[level]) * 2**level for level in range(depth))
        leaf = tf.cast(leaf, tf.int32) + self._first[:, None]
        # Faster on CPUs than gather, which copies slices; XLA compiles it for tensors only.
        weights = tf.gather_nd(tf.convert_to_tensor(self._weight), leaf[..., None])
        return tf.reduce_sum(weights, axis=0)[:, None]
