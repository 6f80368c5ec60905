"""Checks before an evaluation; the evaluation itself runs in tests/e2e."""

import pytest
from damages import flip
from export_makers import write_provenance
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from components.scorer.model_runtime import UnusableModelError
from formats.errors import DataRefusedError, UserError
from pipeline import model_evaluation


def test_model_with_the_signature_is_suitable(suitable_model):
    model_evaluation.check_model(suitable_model)


def test_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(UnusableModelError, match=r"has no saved_model\.pb; give an exported"):
        model_evaluation.check_model(tmp_path)


def test_model_with_other_signatures_is_refused_by_their_names(tmp_path):
    model = SavedModel()
    graph = model.meta_graphs.add()
    for name in ("serving_default", "other"):
        graph.signature_def[name].SetInParent()
    (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
    message = "has the signatures other, serving_default; score_columns is required"
    with pytest.raises(UnusableModelError, match=message):
        model_evaluation.check_model(tmp_path)


def test_file_that_is_not_a_model_is_refused(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\x0a\xff no model")
    with pytest.raises(UnusableModelError, match="is not a SavedModel"):
        model_evaluation.check_model(tmp_path)


def test_pushed_version_that_was_changed_is_refused(suitable_model, tmp_path):
    weights = suitable_model / "variables" / "variables.index"
    weights.parent.mkdir()
    weights.write_text("weights")
    write_provenance(suitable_model)
    flip(weights)
    with pytest.raises(UnusableModelError, match=r"variables\.index has other.*restore it"):
        model_evaluation.evaluate_model(suitable_model, tmp_path / "shards", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_killed_evaluation_leaves_no_folder_that_looks_complete(
    suitable_model, tmp_path, monkeypatch
):
    out, seen = tmp_path / "out", []
    dead = tmp_path / f".out.{2**22 + 1}"  # Above the largest process id.
    (dead / ".run").mkdir(parents=True)

    def run(model, shards, work, ignored_keys):
        seen.append((work.parent, out.exists(), dead.exists()))
        raise KeyboardInterrupt

    monkeypatch.setattr(model_evaluation, "_run_pipeline", run)
    with pytest.raises(KeyboardInterrupt):
        model_evaluation.evaluate_model(suitable_model, tmp_path / "shards", out)
    assert seen == [(tmp_path, False, False)]
    assert [path for path in tmp_path.iterdir() if "out" in path.name] == []


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            RuntimeError("Error when executing query: database or disk is full"),
            r"cannot write .*/metadata\.sqlite: database or disk is full; check .* and run again",
        ),
        (
            RuntimeError("OSError: [Errno 27]"),
            r"^OSError: \[Errno 27\]$",
        ),
        (DataRefusedError("database or disk is full"), "^database or disk is full$"),
    ],
)
def test_a_write_that_is_refused_is_reported_in_a_sentence(
    error, sentence, suitable_model, tmp_path, monkeypatch
):
    def run(*_):
        raise error

    monkeypatch.setattr(model_evaluation, "create_evaluation_pipeline", lambda *_: None)
    monkeypatch.setattr(model_evaluation.LocalDagRunner, "run", run)
    with pytest.raises((RuntimeError, DataRefusedError), match=sentence) as caught:
        model_evaluation.evaluate_model(suitable_model, tmp_path / "shards", tmp_path / "out")
    assert isinstance(caught.value, UserError) == ("disk is full" in sentence)
    assert [path for path in tmp_path.iterdir() if "out" in path.name] == []
