"""Tiny models to score with, whose scores are easy to compute again."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from formats.features import NUM_FEATURES
from formats.names import SIGNAL_PROBABILITY

WEIGHTS = np.linspace(-0.5, 0.5, NUM_FEATURES, dtype=np.float32)[:, None]


def expected_scores(features: np.ndarray, factor: float = 1.0) -> np.ndarray:
    """The scores of the model, float32 [N]."""
    return 1 / (1 + np.exp(-(features @ (factor * WEIGHTS))))[:, 0]


def write_onnx(
    path: Path,
    factor: float = 1.0,
    *,
    input_name: str = "features",
    activation: str = "Sigmoid",
    events: int | None = None,
) -> Path:
    """Writes an ONNX model of one layer, for any number of events or a fixed one."""
    rows = [events, NUM_FEATURES]
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", [input_name, "weights"], ["logits"]),
            helper.make_node(activation, ["logits"], [SIGNAL_PROBABILITY]),
        ],
        "tiny",
        [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, rows)],
        [helper.make_tensor_value_info(SIGNAL_PROBABILITY, TensorProto.FLOAT, [None, 1])],
        [onnx.numpy_helper.from_array(factor * WEIGHTS, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, str(path))
    return path
