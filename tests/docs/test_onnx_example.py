"""The C++ example of docs/serving.md, compiled and run where ONNX Runtime's headers are.

``ONNXRUNTIME_ROOT`` names a release of ONNX Runtime for C++; Python's package has no headers.
"""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "onnx_cpp"


@pytest.mark.slow
def test_the_example_scores_events(tmp_path):
    root = os.environ.get("ONNXRUNTIME_ROOT", "/usr")
    if not shutil.which("cmake") or not [*Path(root).glob("include/**/onnxruntime_cxx_api.h")]:
        pytest.skip("not compiled: cmake and the headers of ONNX Runtime (ONNXRUNTIME_ROOT)")
    configure = ["cmake", "-S", EXAMPLE, "-B", tmp_path, f"-DONNXRUNTIME_ROOT={root}"]
    for command in (configure, ["cmake", "--build", tmp_path]):
        subprocess.run(command, check=True)
    model = onnx.parser.parse_model(
        """
        <ir_version: 8, opset_import: ["" : 17]>
        sum (float[events, 28] features) => (float[events, 1] signal_probability) {
            axis = Constant <value_ints = [1]> ()
            signal_probability = ReduceSum <keepdims = 1> (features, axis)
        }
        """
    )
    onnx.save(model, tmp_path / "model.onnx")
    # More than one batch.
    features = np.random.default_rng(0).normal(size=[5000, 28]).astype(np.float32)
    lines = "".join(" ".join(map(repr, row)) + "\n" for row in features.tolist())
    command = [tmp_path / "score", tmp_path / "model.onnx"]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    scores = np.array(done.stdout.split(), np.float32)
    np.testing.assert_allclose(scores, features.sum(axis=1), atol=1e-4)
    refused = subprocess.run(command, input="1 2 3", capture_output=True, text=True)
    assert (refused.returncode, refused.stderr) == (2, "expected 28 numbers per event\n")
