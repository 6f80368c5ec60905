"""A small export, and the scores that it must reproduce."""

import numpy as np
import onnx
import pytest
import tensorflow as tf

from formats.reference_scores import ReferenceScores

FEATURES = np.random.default_rng(0).normal(size=(64, 28)).astype(np.float32)


class Scorer(tf.Module):
    """A stand-in export: the sigmoid of the first column of the packed record."""

    def __init__(self, scale: float = 1.0):
        super().__init__()
        self.scale = tf.Variable(scale)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples):
        parsed = tf.io.parse_example(examples, {"features": tf.io.FixedLenFeature([], tf.string)})
        content = tf.strings.substr(parsed["features"], 10, 112)
        rows = tf.reshape(tf.io.decode_raw(content, tf.float32), [-1, 28])
        return {"signal_probability": self.scale * tf.sigmoid(rows[:, :1])}


@pytest.fixture(scope="module")
def export(tmp_path_factory, onnx_scorer):
    folder = str(tmp_path_factory.mktemp("export") / "model")
    scorer = Scorer()
    tf.saved_model.save(scorer, folder, signatures={"serving_default": scorer.serve})
    onnx.save(onnx_scorer(), f"{folder}/model.onnx")
    return folder


@pytest.fixture(scope="session")
def onnx_scorer():
    """Makes the same stand-in as an ONNX model, which adds ``bias`` to the scores."""
    return _onnx_scorer


def _onnx_scorer(bias=0.0):
    return onnx.parser.parse_model(
        f"""
        <ir_version: 8, opset_import: ["" : 17]>
        scorer (float[events, 28] features) => (float[events, 1] signal_probability) {{
            first = Constant <value_ints = [0]> ()
            second = Constant <value_ints = [1]> ()
            column = Slice (features, first, second, second)
            bias = Constant <value_float = {bias}> ()
            score = Sigmoid (column)
            signal_probability = Add (score, bias)
        }}
        """
    )


@pytest.fixture(scope="module")
def reference():
    scores = (1.0 / (1.0 + np.exp(-FEATURES[:, :1]))).astype(np.float32)
    return ReferenceScores(np.arange(64), FEATURES, scores)
