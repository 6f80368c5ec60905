import json
import os
from pathlib import Path

import pytest
from export_makers import push, write_provenance

from components.scorer.model_runtime import UnusableModelError
from formats.artifact_manifest import manifest_digest, take_manifest
from formats.manifest_record import ManifestRecord
from formats.provenance import FILE_NAME
from pipeline.scored_model import ModelNotFoundError, ScoredModel, find_model
from pipeline.scoring import find_others


@pytest.fixture
def serving(tmp_path):
    """A push directory with a version that has a provenance and an ONNX file."""
    folder = Path(push(tmp_path / "serving", "17"))
    (folder / "model.onnx").write_bytes(b"graph")
    write_provenance(folder)
    return folder.parent


def test_a_version_is_found_and_verified(serving):
    model = find_model("17", str(serving))
    assert model.path == str(serving / "17")
    assert model.description == f"version 17, verified ({serving}/17)"
    assert find_model(str(serving / "17"), "").sha256 == model.sha256


def test_what_a_server_adds_does_not_make_it_another_model(serving):
    before = find_model("17", str(serving)).sha256
    (serving / "17" / "assets.extra" / "tf_serving_warmup_requests").write_text("x")
    assert find_model("17", str(serving)).sha256 == before


@pytest.mark.parametrize("name", ["17", "17/model.onnx"])
def test_a_version_whose_files_were_changed_is_refused(serving, name):
    (serving / "17" / "model.onnx").write_bytes(b"Graph")
    with pytest.raises(UnusableModelError, match=r"model\.onnx has other content"):
        find_model(str(serving / name), "")


def test_an_onnx_file_of_a_version_is_verified(serving):
    model = find_model(str(serving / "17" / "model.onnx"), "")
    assert model.description.endswith("model.onnx of version 17, verified")
    link = serving / "current.onnx"
    link.symlink_to("17/model.onnx")
    description = f"{link} of version 17, verified"
    assert find_model(str(link), "") == ScoredModel(str(link), model.sha256, description)


def test_what_cannot_be_read_beside_a_model_or_scores_does_not_matter(serving, monkeypatch):
    listed = os.scandir

    def scandir(path):
        if Path(path).name == "private":
            raise PermissionError(13, "Permission denied", path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    (serving / "private").mkdir()
    (serving / "m.onnx").write_bytes(b"graph")
    assert find_model(str(serving / "m.onnx"), "").description == str(serving / "m.onnx")
    with pytest.raises(ModelNotFoundError, match="it has 17"):
        find_model("18", str(serving))
    (serving / "a.parquet").touch()
    assert find_others(str(serving), {}) == "a.parquet"


def test_a_provenance_that_cannot_be_read_is_refused(serving):
    (serving / "17" / FILE_NAME).write_text(json.dumps({"format": 9}))
    with pytest.raises(UnusableModelError, match=r"provenance\.json cannot be used.*restore"):
        find_model("17", str(serving))


@pytest.mark.parametrize("name", ["17", "17/model.onnx"])
def test_a_provenance_that_was_changed_is_refused(serving, name):
    file = serving / "17" / FILE_NAME
    file.write_text(file.read_text().replace('"higgs"', '"hiffs"'))
    with pytest.raises(UnusableModelError, match=r"provenance\.json was changed.*restore"):
        find_model(str(serving / name), "")


def test_an_artifact_of_a_run_is_compared_with_its_manifest(tmp_path):
    export = tmp_path / "artifacts" / "Trainer" / "model" / "5" / "Format-Serving"
    push(export.parent, export.name)
    file = tmp_path / "manifests" / "artifacts" / "Trainer" / "model" / "5.json"
    file.parent.mkdir(parents=True)
    file.write_text(ManifestRecord.take(str(export.parent)).model_dump_json())

    model = find_model(str(export), "")
    assert model.description == f"{export}, verified"
    assert model.sha256 == manifest_digest(take_manifest(str(export)))
    (export / "saved_model.pb").write_text("other")
    with pytest.raises(UnusableModelError, match=r"saved_model\.pb has "):
        find_model(str(export), "")


def test_a_model_without_any_record_says_so(tmp_path):
    folder = push(tmp_path, "model")
    assert find_model(folder, "").description == f"{folder}, without provenance"


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        ("18", ModelNotFoundError, "no version 18 in .*serving; it has 17"),
        ("none", ModelNotFoundError, "none does not exist; give a version"),
        ("none.onnx", ModelNotFoundError, r"none\.onnx does not exist"),
        ("~nobody-here/m.onnx", ModelNotFoundError, "~nobody-here has no home folder here"),
        ("17.onnx", ModelNotFoundError, r"17\.onnx is not a file"),
        (
            "serving/17/saved_model.pb",
            ModelNotFoundError,
            r"_model\.pb is not a folder; give a ver",
        ),
        ("serving", UnusableModelError, r"has no saved_model\.pb; it has 17; give an exported"),
        ("gs://b/m.onnx", ModelNotFoundError, "is in an object store; copy the file"),
        ("https://b/m.onnx", ModelNotFoundError, "is neither a local path nor one of gs:"),
        ("https://b/17", ModelNotFoundError, "is neither a local path nor one of gs:"),
    ],
)
def test_what_is_not_a_model_is_described(serving, monkeypatch, text, error, sentence):
    monkeypatch.chdir(serving.parent)
    Path("17.onnx").mkdir()
    with pytest.raises(error, match=sentence):
        find_model(text, str(serving))
