import errno
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
from event_makers import make_published_events
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, RuntimeException
from score_models import expected_scores, write_onnx

from components.scorer.model_runtime import UnusableModelError, load_model

FEATURES = make_published_events(50).features


def test_an_onnx_model_gives_one_probability_per_event(tmp_path):
    model = load_model(str(write_onnx(tmp_path / "m.onnx")))
    np.testing.assert_allclose(model(FEATURES), expected_scores(FEATURES), rtol=1e-5)
    assert model(FEATURES[:0]).shape == (0,)


def test_a_file_that_is_not_a_model_is_described(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"no model")
    with pytest.raises(UnusableModelError, match=r"m\.onnx cannot be loaded as an ONNX model"):
        load_model(str(tmp_path / "m.onnx"))


def test_a_model_with_another_input_is_described(tmp_path):
    path = write_onnx(tmp_path / "m.onnx", input_name="x")
    with pytest.raises(
        UnusableModelError, match=r"has the inputs x and .*features, float32 \[N, 28"
    ):
        load_model(str(path))


def test_a_model_that_cannot_score_the_features_is_described(tmp_path):
    model = load_model(str(write_onnx(tmp_path / "m.onnx", events=1)))
    assert model(FEATURES[:1]).shape == (1,)
    with pytest.raises(
        UnusableModelError, match=r"m\.onnx cannot score float32 \[50, 28\] .* Expected: 1 .* Give"
    ):
        model(FEATURES)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), MemoryError),
        (RuntimeException("Exception during initialization: std::bad_alloc"), MemoryError),
        (RuntimeError("pthread_create failed, error msg: Cannot allocate memory"), MemoryError),
        (OSError(errno.EMFILE, "Too many open files"), OSError),
        (Fail("Load model from m.onnx failed:system error number 24"), OSError),
        (RuntimeException("Non-zero status code returned"), UnusableModelError),
    ],
)
def test_only_faults_of_the_model_are_blamed_on_it(tmp_path, monkeypatch, error, expected):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(onnxruntime, "InferenceSession", fail)
    with pytest.raises(expected) as caught:
        load_model(str(write_onnx(tmp_path / "m.onnx")))
    assert caught.value.__cause__ is not caught.value
    if expected is OSError:
        assert caught.value.filename == str(tmp_path / "m.onnx")


@pytest.mark.slow
def test_onnx_is_scored_without_tensorflow(tmp_path):
    write_onnx(tmp_path / "m.onnx")
    np.save(tmp_path / "x.npy", FEATURES)
    code = (
        "import sys; from pipeline.cli.main import main\n"
        "try: main(['score', '--model', 'm.onnx', '--input', 'x.npy', '--out', 'out'])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert 'onnxruntime' in sys.modules and 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
