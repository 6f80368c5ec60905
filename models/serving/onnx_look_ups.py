"""Buckets and trees as ONNX nodes: compare, count or combine the bits, look the result up.

Columns are rows here, so that each comparison and each look-up runs along the events.
``MatMulInteger`` turns the results of comparisons, one byte each, into the numbers of buckets and
leaves, and ``GatherElements`` looks up one table per column or tree. Other operators for this were
at most half as fast in ONNX Runtime 1.23.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import tf_keras
from onnx import TensorProto, helper, numpy_helper

from models.layers.bucketized_columns import BucketWeights
from models.layers.forest_layer import ForestLayer

ROWS = 8
"""Maximum number of rows of a product; ONNX Runtime takes longer for products of one row."""


@dataclass
class Nodes:
    """Nodes under construction, in topological order, with their constants.

    Attributes:
        prefix: beginning of all names.
    """

    prefix: str
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, array: npt.NDArray) -> str:
        """Adds a constant; returns its name."""
        name = f"{self.prefix}/constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Adds a node with one output; returns the output's name."""
        name = f"{self.prefix}/{operator}_{len(self.nodes)}"
        node = helper.make_node(operator, inputs, [output or name], name, **attributes)
        self.nodes.append(node)
        return output or name


def bucket_nodes(layer: BucketWeights, columns: str, output: str) -> Nodes:
    """Builds the nodes of ``BucketWeights``.

    Args:
        layer: the layer.
        columns: name of its input, transposed: float32 [columns, N].
        output: name of its output, float32 [N, columns].
    """
    nodes = Nodes(output)
    weights = _arrays(layer)
    steps = np.vstack([weights["first"], weights["steps"]]).T
    log_odds = np.cumsum(steps, axis=1, dtype=np.float64)
    is_above = _is_above(nodes, columns, weights["edges"][:, :, None])
    bucket = _combine(nodes, is_above, np.ones(len(weights["edges"])), len(log_odds))
    looked_up = _look_up(nodes, log_odds, bucket)
    nodes.add("Transpose", looked_up, perm=[1, 0], output=output)
    return nodes


def forest_nodes(layer: ForestLayer, columns: str, output: str) -> Nodes:
    """Builds the nodes of ``ForestLayer``.

    Args:
        layer: the layer.
        columns: name of its input, transposed: float32 [columns, N].
        output: name of its output, float32 [N, 1].
    """
    nodes = Nodes(output)
    weights = _arrays(layer)
    depth, trees = weights["cut"].shape
    is_above = _is_above(nodes, columns, weights["borders"])
    table = nodes.constant(np.array([weights["borders"].size, -1]))
    is_above = nodes.add("Reshape", is_above, table)
    levels = nodes.add("Gather", is_above, nodes.constant(weights["cut"]), axis=0)
    leaf = _combine(nodes, levels, 2 ** np.arange(depth), trees)
    weight = _look_up(nodes, weights["weight"].reshape(trees, -1), leaf)
    total = nodes.add("ReduceSum", weight, nodes.constant(np.array([0])), keepdims=1)
    nodes.add("Transpose", total, perm=[1, 0], output=output)
    return nodes


def _arrays(layer: tf_keras.layers.Layer) -> dict[str, npt.NDArray]:
    """Returns the weights of a layer by their names in it."""
    names = (weight.name.rpartition("/")[2].partition(":")[0] for weight in layer.weights)
    return dict(zip(names, layer.get_weights(), strict=True))


def _is_above(nodes: Nodes, values: str, borders: npt.NDArray) -> str:
    """Compares values with borders: uint8 1 or 0."""
    is_above = nodes.add("Greater", values, nodes.constant(borders))
    return nodes.add("Cast", is_above, to=TensorProto.UINT8)


def _combine(nodes: Nodes, bits: str, weights: npt.NDArray, tables: int) -> str:
    """Sums bits, uint8 [bits, tables, N], with weights, [bits]: int32 [tables, N]."""
    # One product for all tables: one product per table takes three times as long for one event.
    # Its rows are groups of tables, although most of its weights are then 0.
    rows = max(rows for rows in range(1, ROWS + 1) if tables % rows == 0)
    matrix = np.kron(weights, np.eye(rows)).astype(np.uint8)
    columns = nodes.add("Reshape", bits, nodes.constant(np.array([matrix.shape[1], -1])))
    sums = nodes.add("MatMulInteger", nodes.constant(matrix), columns)
    return nodes.add("Reshape", sums, nodes.constant(np.array([tables, -1])))


def _look_up(nodes: Nodes, tables: npt.NDArray, index: str) -> str:
    """Looks an index, int32 [tables, N], up in tables, [tables, entries]: float32 [tables, N]."""
    table = nodes.constant(tables.astype(np.float32))
    return nodes.add("GatherElements", table, index, axis=1)
