import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from components.serving_check import score_comparison
from components.serving_check.probe_process import Limits, score_in_fresh_process
from components.serving_check.score_comparison import compare, find_fault
from formats.names import ONNX_FILE

LIMITS = Limits()


@pytest.fixture(scope="module", autouse=True)
def remembered_verdicts():
    """The verdict on an unchanged SavedModel, whose process takes seconds, is found once."""
    verdicts = {}

    def score(part, features, limits):
        if part not in verdicts or part.endswith(ONNX_FILE):
            verdicts[part] = score_in_fresh_process(part, features, limits)
        return verdicts[part]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(score_comparison, "score_in_fresh_process", score)
        yield


@pytest.mark.slow
def test_an_export_that_scores_as_trained_has_no_fault(export, reference):
    assert find_fault(export, reference, LIMITS) is None


@pytest.mark.slow
def test_an_export_that_scores_otherwise(export, reference):
    fault = find_fault(
        export, replace(reference, scores=reference.scores + np.float32(1e-3)), LIMITS
    )
    assert "scores differ from the trained model's by up to 0.001" in fault


@pytest.mark.slow
def test_both_forms_of_an_export_are_compared(export, reference, onnx_scorer, tmp_path):
    changed = tmp_path / "model"
    shutil.copytree(export, changed)
    file = changed / "model.onnx"
    onnx.save(onnx_scorer(bias=2e-5), file)
    assert find_fault(str(changed), reference, LIMITS).startswith(
        "model.onnx: scores differ from the trained model's by up to 2e-05"
    )
    onnx.save(onnx_scorer(bias=5e-6), file)
    assert find_fault(str(changed), reference, LIMITS) is None
    file.write_bytes(file.read_bytes()[:-20])
    assert "model.onnx could not be loaded and scored: InvalidProtobuf" in find_fault(
        str(changed), reference, LIMITS
    )
    file.unlink()
    assert "model.onnx could not be loaded and scored: NoSuchFile" in find_fault(
        str(changed), reference, LIMITS
    )


@pytest.mark.slow
def test_a_broken_export(export, reference, tmp_path):
    broken = tmp_path / "model"
    shutil.copytree(export, broken)
    (broken / "saved_model.pb").write_bytes(b"not a model")
    assert "the SavedModel could not be loaded and scored" in find_fault(
        str(broken), reference, LIMITS
    )


@pytest.mark.slow
def test_an_export_that_lacks_its_weights(export, reference, tmp_path):
    broken = tmp_path / "model"
    shutil.copytree(export, broken)
    for shard in Path(broken, "variables").iterdir():
        shard.unlink()
    assert "the SavedModel could not be loaded and scored" in find_fault(
        str(broken), reference, LIMITS
    )


@pytest.mark.parametrize(
    ("scores", "fault"),
    [
        ([[0.5], [0.25]], None),
        ([[0.5], [0.25 + 0.8e-5]], None),
        ([[0.5], [0.25 + 1.5e-5]], "by up to 1.5e-05 (> 1e-05)"),
        ([[0.5], [0.25 - 1.5e-5]], "by up to 1.5e-05 (> 1e-05)"),
        ([[0.5], [0.0]], "by up to 0.25"),
        ([[0.5], [1.0]], "by up to 0.75"),
        ([[0.5], [float("nan")]], "1 of 2 scores are NaN or infinite"),
        ([[0.5], [1.5]], "range from 0.5 to 1.5, not within [0, 1]"),
        ([[0.5], [-0.5]], "range from -0.5 to 0.5, not within [0, 1]"),
        ([[0.5]], "shape (1, 1), expected (2, 1)"),
    ],
)
def test_differences_of_scores_are_described(scores, fault):
    message = compare(np.array(scores, np.float32), np.array([[0.5], [0.25]], np.float32))
    assert (fault in message) if fault else message is None
