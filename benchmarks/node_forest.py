"""A forest evaluated node by node, as in exports before trees were oblivious.

Used only as a peer in the serving benchmark: LightGBM's trees as arrays, one look-up per level and
tree.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

FIELDS = {
    "column": np.int32,
    "threshold": np.float32,
    "children": np.int32,
    "weight": np.float32,
}


class NodeForest(tf_keras.layers.Layer):
    """Maps columns, float32 [N, columns], to the logit of LightGBM's trees, float32 [N, 1]."""

    def __init__(self, trees: list[dict[str, Any]], **options: Any):
        """Creates weights from the entry ``tree_info`` of LightGBM's ``dump_model``."""
        super().__init__(trainable=False, **options)
        tables = [_nodes(tree["tree_structure"]) for tree in trees]
        nodes = max(map(len, tables))
        self._depth = max(node["depth"] for table in tables for node in table)
        self._first = tf.constant(nodes * np.arange(len(trees), dtype=np.int32))
        self._weights = {field: self._add(field, tables, nodes) for field in FIELDS}

    def _add(self, field: str, tables: list[list[dict[str, Any]]], nodes: int) -> tf.Variable:
        shape = [len(tables), nodes, *([2] if field == "children" else [])]
        array: npt.NDArray[Any] = np.zeros(shape, FIELDS[field])
        for tree, table in enumerate(tables):
            for index, node in enumerate(table):
                array[tree, index] = node[field]
        flat = array.reshape(-1)
        constant = tf_keras.initializers.Constant(flat)
        name = f"{self.name}/{field}"
        return self.add_weight(
            name, flat.shape, dtype=flat.dtype, initializer=constant, trainable=False
        )

    def call(self, columns: tf.Tensor) -> tf.Tensor:
        """Descends every tree, one level per step, and sums the weights of the leaves."""
        weights = self._weights
        node = tf.zeros_like(columns[:, :1], tf.int32) + self._first
        for _ in range(self._depth):
            value = tf.gather(columns, tf.gather(weights["column"], node), axis=1, batch_dims=1)
            goes_right = tf.cast(value > tf.gather(weights["threshold"], node), tf.int32)
            node = self._first + tf.gather(weights["children"], 2 * node + goes_right)
        return tf.reduce_sum(tf.gather(weights["weight"], node), axis=1, keepdims=True)


def _nodes(root: dict[str, Any]) -> list[dict[str, Any]]:
    """Lists the nodes of a tree, the root first; a leaf's children are the leaf itself."""
    nodes: list[dict[str, Any]] = []

    def add(node: dict[str, Any], depth: int) -> int:
        index = len(nodes)
        entry: dict[str, Any] = {"column": 0, "threshold": 0.0, "children": index, "weight": 0.0}
        entry["depth"] = depth
        nodes.append(entry)
        if "split_feature" in node:
            entry["column"] = node["split_feature"]
            entry["threshold"] = node["threshold"]
            children = (node["left_child"], node["right_child"])
            entry["children"] = [add(child, depth + 1) for child in children]
        else:
            entry["weight"] = node["leaf_value"]
        return index

    add(root, 0)
    return nodes
