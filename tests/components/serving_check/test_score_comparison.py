import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.serving_check import probe
from components.serving_check.score_comparison import TOLERANCE, compare, find_fault
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


@pytest.mark.slow
def test_an_export_that_scores_as_trained_has_no_fault(export, reference):
    assert find_fault(export, reference) is None


@pytest.mark.slow
def test_an_export_that_scores_otherwise(export, reference):
    fault = find_fault(export, replace(reference, scores=reference.scores + np.float32(1e-3)))
    assert "scores differ from the trained model's by up to 0.001" in fault


@pytest.mark.slow
def test_a_broken_export(export, reference, tmp_path):
    broken = tmp_path / "model"
    shutil.copytree(export, broken)
    (broken / "saved_model.pb").write_bytes(b"not a model")
    assert "could not be loaded and scored" in find_fault(str(broken), reference)


@pytest.mark.slow
def test_an_export_that_lacks_its_weights(export, reference, tmp_path):
    broken = tmp_path / "model"
    shutil.copytree(export, broken)
    for shard in Path(broken, "variables").iterdir():
        shard.unlink()
    assert "could not be loaded and scored" in find_fault(str(broken), reference)


@pytest.mark.parametrize(
    ("scores", "fault"),
    [
        ([[0.5], [0.25]], None),
        ([[0.5], [0.25 + TOLERANCE / 2]], None),
        ([[0.5], [0.26]], "differ"),
        ([[0.5], [float("nan")]], "1 of 2 scores are NaN or infinite"),
        ([[0.5], [1.5]], "not within [0, 1]"),
        ([[0.5]], "shape (1, 1), expected (2, 1)"),
    ],
)
def test_compare(scores, fault):
    message = compare(np.array(scores, np.float32), np.array([[0.5], [0.25]], np.float32))
    assert (fault in message) if fault else message is None


@pytest.mark.slow
@pytest.mark.parametrize("package", ["models", "formats"])
def test_the_probe_cannot_import_the_project(package, tmp_path):
    code = (
        "import os, runpy, sys\n"
        "sys.argv = ['probe', 'no model', sys.argv[1], 'none']\n"
        "try:\n"
        "    runpy.run_path(os.environ['PROBE'], run_name='__main__')\n"
        "except OSError:\n"
        f"    import {package}\n"
    )
    np.savez(tmp_path / "records.npz", records=np.frombuffer(b"ab", "V1"))
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(tmp_path / "records.npz")],
        env={"PROBE": probe.__file__},
        capture_output=True,
        text=True,
    )
    assert f"the export imports the project's module '{package}'" in done.stderr
