"""A small export, and the scores that it must reproduce."""

import numpy as np
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
def export(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("export") / "model")
    scorer = Scorer()
    tf.saved_model.save(scorer, folder, signatures={"serving_default": scorer.serve})
    return folder


@pytest.fixture(scope="module")
def reference():
    scores = (1.0 / (1.0 + np.exp(-FEATURES[:, :1]))).astype(np.float32)
    return ReferenceScores(np.arange(64), FEATURES, scores)
