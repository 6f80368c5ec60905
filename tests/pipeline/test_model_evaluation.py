"""What is checked before a model is evaluated; the evaluation itself runs in tests/e2e."""

import json

import pytest
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from pipeline import model_evaluation
from pipeline.user_errors import UnsuitableModelError


def test_model_with_the_signature_is_suitable(suitable_model):
    model_evaluation.check_model(suitable_model)


def test_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(UnsuitableModelError, match=r"holds no saved_model\.pb; name an exported"):
        model_evaluation.check_model(tmp_path)


def test_model_with_other_signatures_is_refused_by_their_names(tmp_path):
    model = SavedModel()
    graph = model.meta_graphs.add()
    for name in ("serving_default", "other"):
        graph.signature_def[name].SetInParent()
    (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
    words = "has the signatures other, serving_default; score_columns is needed"
    with pytest.raises(UnsuitableModelError, match=words):
        model_evaluation.check_model(tmp_path)


def test_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\x0a\xff no model")
    with pytest.raises(UnsuitableModelError, match="is no SavedModel"):
        model_evaluation.check_model(tmp_path)


def test_record_names_model_and_data(tmp_path):
    record = model_evaluation._record(tmp_path / "model", tmp_path / "shards")
    assert json.loads(record.configuration) == {
        "model": str(tmp_path / "model"),
        "data_root": str(tmp_path / "shards"),
    }
    assert record.ending == "evaluated"
    assert record.failure.endswith("; no gate was asked")
    assert record.packages["tfx"] == "1.16.0"


def test_model_is_found_where_a_trainer_would_have_put_it(suitable_model, tmp_path):
    folder = model_evaluation._as_trained(suitable_model, tmp_path / "model")
    assert (folder / "Format-Serving" / "saved_model.pb").exists()
