"""The model as an ONNX file, for runtimes without TensorFlow.

tf2onnx converts derived columns and network. Buckets and trees, which compare columns with
thresholds, are written by ``models.serving.onnx_look_ups`` instead. In ONNX Runtime these nodes run
several times as fast as the converted TensorFlow operations and as ``TreeEnsembleRegressor``
(decision 38). The graph scores the events chunk by chunk, in a ``Scan``.
"""

import json
from collections.abc import Callable, Container
from importlib import metadata
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx.convert
import tf_keras
from onnx import TensorProto, helper
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from formats.features import FEATURES, NUM_FEATURES, UNITS
from formats.names import SIGNAL_PROBABILITY
from formats.source_version import PROJECT
from models.layers.bucketized_columns import BucketWeights
from models.layers.forest_layer import ForestLayer
from models.serving.onnx_look_ups import Nodes, bucket_nodes, forest_nodes

OPSET = 17
"""Version of ONNX' standard operators; the file has no others."""

IR_VERSION = 8
"""Version of the file format that belongs to this opset."""

FEATURES_INPUT = "features"

CHUNK_EVENTS = 1024
"""Maximum number of events scored at a time, so that the processor finds their intermediate values
in its caches. Smaller chunks are slower on two threads, which wait for each other at every node."""

CHUNK_FEATURES, CHUNK_SCORES = "chunk_features", "chunk_scores"
"""Input and output of the graph that scores a chunk, as those of the whole graph."""

COLUMNS, LOG_ODDS, LEAVES = "columns", "log_odds", "leaves"
"""Tensors between the converted part and the look-ups: input columns of network and forest,
float32 [columns, N], the log odds of their buckets, float32 [N, columns], and the forest's logit,
float32 [N, 1]."""


def to_onnx(model: tf_keras.Model) -> onnx.ModelProto:
    """Converts an assembled model.

    Args:
        model: from ``models.serving.assembly.assemble``.

    Returns:
        A model from ``features``, float32 [N, 28], to ``signal_probability``, float32 [N, 1].

    Raises:
        onnx.checker.ValidationError: an operation of the model has no standard operator.
    """
    layers = [*model.get_layer("network").layers, *model.layers]
    look_ups: dict[str, Nodes] = {}
    for layer in layers:
        if isinstance(layer, BucketWeights):
            look_ups[LOG_ODDS] = bucket_nodes(layer, COLUMNS, LOG_ODDS)
        elif isinstance(layer, ForestLayer):
            look_ups[LEAVES] = forest_nodes(layer, COLUMNS, LEAVES)
    proto = _convert(model, look_ups)
    _insert(proto.graph, look_ups)
    proto.graph.CopyFrom(_scan_chunks(proto.graph))
    return _finished(proto)


def _convert(model: tf_keras.Model, look_ups: Container[str]) -> onnx.ModelProto:
    """Converts the model with the outputs of the look-ups as inputs, and columns as an output."""
    columns = model.layers[1].output
    widths = {CHUNK_FEATURES: NUM_FEATURES, LOG_ODDS: columns.shape[1], LEAVES: 1}
    names = [CHUNK_FEATURES, *(name for name in (LOG_ODDS, LEAVES) if name in look_ups)]
    signature = [tf.TensorSpec([None, widths[name]], tf.float32, name) for name in names]
    score = tf.function(_without_look_ups(model), autograph=False)
    # Not tf2onnx' from_function, which takes constants of Keras' layers for inputs.
    frozen = convert_variables_to_constants_v2(score.get_concrete_function(*signature))
    inputs = {tensor.name: name for tensor, name in zip(frozen.inputs, names, strict=True)}
    outputs = dict(zip((t.name for t in frozen.outputs), (COLUMNS, CHUNK_SCORES), strict=True))
    proto, _ = tf2onnx.convert.from_graph_def(
        frozen.graph.as_graph_def(),
        input_names=[*inputs],
        output_names=[*outputs],
        tensors_to_rename=inputs | outputs,
        opset=OPSET,
        custom_op_handlers={"SelectV2": (_to_where, [])},
    )
    return proto


def _to_where(_context: Any, node: Any, _name: str, _inputs: list[Any]) -> None:
    """Converts a selection to Where.

    tf2onnx multiplies both values by 0 or 1 and adds them, which takes six nodes and gives NaN if
    the value that is not selected is NaN or infinite.
    """
    node.type = "Where"


def _without_look_ups(model: tf_keras.Model) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """Returns the model as a function that gets the outputs of the look-ups as arguments."""
    network = model.get_layer("network")
    buckets = [layer for layer in network.layers if isinstance(layer, BucketWeights)]
    inputs = [network.input, *(layer.output for layer in buckets)]
    network = tf_keras.Model(inputs, network.output)

    def score(features: tf.Tensor, *substitutes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        columns, rest = model.layers[1](features), list(substitutes)
        logits = network([columns, rest.pop(0)] if buckets else columns)
        if rest:
            logits = model.get_layer("blend")([logits, *rest])
        # ONNX Runtime cancels this with the transposition at the end of the derived columns.
        return tf.transpose(columns), model.layers[-1](logits)

    return score


def _insert(graph: onnx.GraphProto, look_ups: dict[str, Nodes]) -> None:
    """Puts nodes between those that compute the columns and those that need their outputs."""
    late = set(look_ups)
    before: list[onnx.NodeProto] = []
    after: list[onnx.NodeProto] = []
    # Nodes are in topological order.
    for node in graph.node:
        is_late = not late.isdisjoint(node.input)
        late.update(node.output if is_late else ())
        (after if is_late else before).append(node)
    inserted = [node for nodes in look_ups.values() for node in nodes.nodes]
    constants = [constant for nodes in look_ups.values() for constant in nodes.constants]
    inputs = [value for value in graph.input if value.name == CHUNK_FEATURES]
    outputs = [value for value in graph.output if value.name == CHUNK_SCORES]
    for field in ("node", "input", "output"):
        graph.ClearField(field)
    graph.node.extend([*before, *inserted, *after])
    graph.initializer.extend(constants)
    graph.input.extend(inputs)
    graph.output.extend(outputs)


def _scan_chunks(chunk: onnx.GraphProto) -> onnx.GraphProto:
    """Builds the graph that scores any number of events in chunks of equal size.

    The last chunk is filled with the first events, whose scores are dropped.

    Args:
        chunk: the graph that scores a chunk.
    """
    chunk.name = "chunk"
    chunk.ClearField("value_info")
    nodes = Nodes("chunks")

    def integers(*values: int) -> str:
        return nodes.constant(np.array(values))

    count = nodes.add("Shape", FEATURES_INPUT, end=1)
    rounded_up = nodes.add("Add", count, integers(CHUNK_EVENTS - 1))
    chunks = nodes.add("Div", rounded_up, integers(CHUNK_EVENTS))
    chunks = nodes.add("Max", chunks, integers(1))
    missing = nodes.add("Mod", nodes.add("Neg", count), chunks)
    filling = nodes.add("Slice", FEATURES_INPUT, integers(0), missing)
    features = nodes.add("Concat", FEATURES_INPUT, filling, axis=0)
    shape = nodes.add("Concat", chunks, integers(-1, NUM_FEATURES), axis=0)
    features = nodes.add("Reshape", features, shape)
    scores = nodes.add("Scan", features, body=chunk, num_scan_inputs=1)
    scores = nodes.add("Reshape", scores, integers(-1, 1))
    nodes.add("Slice", scores, integers(0), count, output=SIGNAL_PROBABILITY)
    return helper.make_graph(
        nodes.nodes,
        "higgs",
        [_events(FEATURES_INPUT, NUM_FEATURES)],
        [_events(SIGNAL_PROBABILITY, 1)],
        nodes.constants,
    )


def _events(name: str, width: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["events", width])


def _finished(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Adds versions and metadata, and checks the model."""
    proto.ir_version = IR_VERSION
    standard = [opset for opset in proto.opset_import if opset.domain == ""]
    proto.ClearField("opset_import")
    proto.opset_import.extend(standard)
    helper.set_model_props(
        proto,
        {
            "version": metadata.version(PROJECT),
            "features": json.dumps(FEATURES),
            "units": json.dumps(UNITS),
            "output": "probability of signal for the mixture of classes in training",
        },
    )
    onnx.checker.check_model(proto, full_check=True)
    return proto
