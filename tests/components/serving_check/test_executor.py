import pytest
from tfx import v1 as tfx

from components.serving_check import probe
from components.serving_check.component import ServingCheck
from components.serving_check.probe_process import ServingCheckError
from formats import names, reference_scores
from formats.artifact_manifest import manifest_digest, take_manifest
from pipeline.metadata_store import latest_run


@pytest.fixture
def check(tmp_path, export, reference):
    """Runs the node with TFX's cache; returns the outcome of the run."""
    model, model_run = tmp_path / "model", tmp_path / "model_run"
    model.mkdir()
    (model / "Format-Serving").symlink_to(export)
    model_run.mkdir()
    (model_run / reference_scores.FILE_NAME).write_bytes(reference.to_bytes())
    metadata = str(tmp_path / "metadata.sqlite")

    def importer(folder, artifact_type):
        return tfx.dsl.Importer(source_uri=str(folder), artifact_type=artifact_type).with_id(
            artifact_type.TYPE_NAME
        )

    def run():
        types = tfx.types.standard_artifacts
        inputs = [importer(model, types.Model), importer(model_run, types.ModelRun)]
        node = ServingCheck(
            model=inputs[0].outputs["result"], model_run=inputs[1].outputs["result"]
        )
        pipeline = tfx.dsl.Pipeline(
            pipeline_name="check",
            pipeline_root=str(tmp_path / "root"),
            components=[*inputs, node],
            enable_cache=True,
            metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
                metadata
            ),
        )
        tfx.orchestration.LocalDagRunner().run(pipeline)
        return latest_run(metadata)

    return run


@pytest.mark.slow
def test_a_check_that_was_killed_is_repeated_by_the_next_run(check, tmp_path, monkeypatch):
    killed = tmp_path / "killed.py"
    killed.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    with monkeypatch.context() as patch:
        patch.setattr(probe, "__file__", str(killed))
        with pytest.raises(ServingCheckError, match="was killed by SIGKILL"):
            check()
    assert list(tmp_path.glob("root/ServingCheck/blessing/*/INFRA*")) == []
    repeated = check()
    assert repeated.output(names.INFRA_BLESSING).is_blessed is True
    assert not repeated.is_cached(names.SERVING_CHECK)
    assert check().is_cached(names.SERVING_CHECK)
    # The blessing names these files.
    digest = manifest_digest(take_manifest(str(tmp_path / "model" / "Format-Serving")))
    assert repeated.output(names.INFRA_BLESSING).properties["model_sha256"] == digest
