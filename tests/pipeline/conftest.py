"""A metadata store with runs recorded as TFX records them."""

from pathlib import Path

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from report_parts import complete_run, make, run_folder  # noqa: F401 (fixtures)
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from pipeline.metadata_backup import reserve_executions

KINDS = {"pushed_model": "PushedModel", "blessing": "ModelBlessing"}


class Recorder:
    """Records runs in a store; an artifact is created once per URI, and then cached."""

    def __init__(self, path):
        self.path = str(path)
        self.store = MetadataStore(sqlite_metadata_connection_config(self.path))
        self._ids = {}

    def put_run(self, run_id, record="", **nodes):
        """Records a run of nodes, each with its state, an output key, a URI and properties."""
        context = mlmd.Context(type_id=self._context_type("pipeline_run"), name=run_id)
        if record:
            context.custom_properties["higgs_record"].string_value = record
        self.store.put_contexts([context])
        for node, (state, key, uri, properties) in nodes.items():
            self._put_node(run_id, node, state, key, self._artifact(key, uri, properties))

    def _put_node(self, run_id, node, state, key, artifact):
        kind = self.store.put_execution_type(mlmd.ExecutionType(name=node))
        event = mlmd.Event(type=mlmd.Event.OUTPUT)
        event.path.steps.add().key = key
        event.path.steps.add().index = 0
        contexts = [
            mlmd.Context(type_id=self._context_type(of), name=name)
            for of, name in (("pipeline_run", run_id), ("node", f"higgs.{node}"))
        ]
        _, (artifact_id,), _ = self.store.put_execution(
            mlmd.Execution(type_id=kind, last_known_state=mlmd.Execution.State.Value(state)),
            [(artifact, event)],
            contexts,
            reuse_context_if_already_exist=True,
        )
        self._ids[artifact.uri] = artifact_id

    def _artifact(self, key, uri, properties):
        name = KINDS.get(key, key.title())
        artifact = mlmd.Artifact(
            type_id=self.store.put_artifact_type(mlmd.ArtifactType(name=name)),
            uri=uri,
            state=mlmd.Artifact.LIVE,
        )
        if uri in self._ids:
            artifact.id = self._ids[uri]
        for property_name, value in properties.items():
            kind = "string_value" if isinstance(value, str) else "int_value"
            setattr(artifact.custom_properties[property_name], kind, value)
        return artifact

    def _context_type(self, name):
        return self.store.put_context_type(mlmd.ContextType(name=name))


@pytest.fixture
def record_in():
    """Makes a recorder for the store of a root."""

    def make_recorder(root):
        (root / "metadata").mkdir(parents=True)
        return Recorder(root / "metadata" / "metadata.sqlite")

    return make_recorder


@pytest.fixture
def recorder(record_in, tmp_path):
    """A recorder for the store of the root ``tmp_path``."""
    return record_in(tmp_path)


@pytest.fixture
def used_root(record_in, tmp_path):
    """A root with one run that trained and pushed, as TFX would have recorded it."""
    root = tmp_path / "old root"
    model = f"{root}/artifacts/Trainer/model/8"
    pushed = f"{root}/artifacts/Pusher/pushed_model/12"
    destination = f"{root}/serving/17"
    for folder in (model, pushed, destination):
        Path(folder).mkdir(parents=True)
        (Path(folder) / "saved_model.pb").write_bytes(b"model")
    record_in(root).put_run(
        "2026-01-01",
        Trainer=("COMPLETE", "model", model, {}),
        Evaluator=(
            "COMPLETE",
            "blessing",
            f"{root}/artifacts/Evaluator/blessing/11",
            {"blessed": 1, "current_model": model},
        ),
        Pusher=(
            "COMPLETE",
            "pushed_model",
            pushed,
            {"pushed": 1, "pushed_version": "17", "pushed_destination": destination},
        ),
    )
    reserve_executions(root)
    return root


PUSH = {"pushed": 1, "pushed_version": "17", "pushed_destination": "/serving/17"}


@pytest.fixture
def pushed_twice(recorder):
    """A run that pushed, a run with a cached push, and a run that pushed nothing."""
    events = {"events_train": 4000, "events_eval": 2000}
    data = {"CollisionExampleGen": ("COMPLETE", "examples", "/examples/1", events)}
    recorder.put_run(
        "2026-01-01",
        **data,
        HistogramGen=("COMPLETE", "histograms", "/histograms/1", {}),
        Pusher=("COMPLETE", "pushed_model", "/pushed/1", PUSH),
    )
    recorder.put_run(
        "2026-01-02",
        HistogramGen=("CACHED", "histograms", "/histograms/1", {}),
        Pusher=("CACHED", "pushed_model", "/pushed/1", PUSH),
    )
    recorder.put_run(
        "2026-02-03",
        record="{",
        HistogramGen=("COMPLETE", "histograms", "/histograms/2", {}),
        Pusher=("COMPLETE", "pushed_model", "/pushed/2", {"pushed": 0}),
    )
    return recorder


@pytest.fixture
def suitable_model(tmp_path):
    """A SavedModel that has the evaluated signature, and no graph."""
    model = SavedModel()
    model.meta_graphs.add().signature_def["score_columns"].SetInParent()
    folder = tmp_path / "suitable"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    return folder
