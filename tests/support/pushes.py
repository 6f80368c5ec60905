"""Pushes of small exports by the real executor, with the artifacts of a run beside them."""

import json
import shutil
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.proto import pusher_pb2
from tfx.types.standard_artifacts import (
    InfraBlessing,
    Model,
    ModelBlessing,
    ModelEvaluation,
    ModelRun,
    PushedModel,
    Schema,
)
from tfx.utils import proto_utils

from components.pusher.executor import Executor
from formats import names, training_record
from formats.artifact_manifest import MODEL_DIGEST_PROPERTY
from formats.artifact_types import ClassHistograms, DataVerdict
from formats.features import FEATURES


class Pushes:
    """A pipeline that pushes to a directory.

    Attributes:
        folder: holds its artifacts.
        serving: the push directory.
        features: those of the models' signature.
    """

    features = FEATURES

    def __init__(self, folder: Path, serving: Path, run_folder: Path, pipeline="higgs"):
        """Takes the artifacts of a run from ``run_folder``."""
        self.folder, self.serving, self.pipeline = folder, serving, pipeline
        shutil.copytree(run_folder, folder)
        verdict = folder / names.DATA_VERDICT.key
        verdict.mkdir(exist_ok=True)
        (verdict / "verdict.json").write_text('{"events": {"train": 400, "eval": 200}}')
        training = folder / names.MODEL_RUN.key / training_record.FILE_NAME
        packages = {"python": "3.10.0", "tensorflow": tf.__version__}
        training.write_text(json.dumps({**json.loads(training.read_text()), "packages": packages}))

    def write_model(self, weights):
        """Writes an export with the given weights; returns its folder."""
        export = self.folder / "model" / "Format-Serving"
        (export / "variables").mkdir(parents=True, exist_ok=True)
        (export / "saved_model.pb").write_bytes(_saved_model(self.features))
        (export / "variables" / "variables.data").write_text(weights)
        (export / names.ONNX_FILE).write_text(f"ONNX {weights}")
        return export

    def push(
        self,
        weights,
        *,
        blessed=True,
        run="run-1",
        baseline="",
        newest=None,
        checked="",
        onnx=True,
        triton=False,
    ):
        """Pushes an export with the given weights; returns the artifact.

        ServingCheck has blessed the files with the digest ``checked``, and the baseline was chosen
        when ``newest`` was the largest version; both are unknown by default.
        """
        self.write_model(weights)
        pushed = _artifact(PushedModel, self.folder / f"pushed-{len(list(self.folder.iterdir()))}")
        blessing = _artifact(ModelBlessing, self.folder, blessed=int(blessed))
        blessing.set_string_custom_property(names.BASELINE_VERSION_PROPERTY, baseline)
        if newest is not None:
            blessing.set_string_custom_property(names.NEWEST_VERSION_PROPERTY, newest)
        infra_blessing = _artifact(InfraBlessing, self.folder, blessed=1)
        infra_blessing.set_string_custom_property(MODEL_DIGEST_PROPERTY, checked)
        inputs = {
            "model": _artifact(Model, self.folder / "model"),
            "model_blessing": blessing,
            "infra_blessing": infra_blessing,
            "model_run": _artifact(ModelRun, self.folder / names.MODEL_RUN.key),
            "evaluation": _artifact(ModelEvaluation, self.folder / names.EVALUATION.key),
            "data_verdict": _artifact(DataVerdict, self.folder / names.DATA_VERDICT.key),
            "histograms": _artifact(ClassHistograms, self.folder / names.HISTOGRAMS.key),
            "schema": _artifact(Schema, self.folder / names.SCHEMA.key),
        }
        destination = pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(self.serving))
        )
        Executor(BaseExecutor.Context(pipeline_run_id=run)).Do(
            {key: [artifact] for key, artifact in inputs.items()},
            {"pushed_model": [pushed]},
            {
                "push_destination": proto_utils.proto_to_json(destination),
                "pipeline": self.pipeline,
                "with_onnx": int(onnx),
                "for_triton": int(triton),
            },
        )
        return pushed

    def version(self, weights, **options):
        """Pushes an export; returns its version."""
        return self.push(weights, **options).get_string_custom_property("pushed_version")

    def versions(self):
        """The names of what servers could take for versions, in order."""
        return sorted((path.name for path in self.serving.glob("[0-9]*")), key=int)


def _saved_model(features):
    """A graph that has the evaluated signature and computes nothing."""
    model = saved_model_pb2.SavedModel()
    signature = model.meta_graphs.add().signature_def[names.COLUMNS_SIGNATURE]
    for name in features:
        signature.inputs[name].name = f"{name}:0"
    signature.outputs[names.SIGNAL_PROBABILITY].name = "score:0"
    return model.SerializeToString(deterministic=True)


def _artifact(kind, uri, **properties):
    made = kind()
    made.uri = str(uri)
    for key, value in properties.items():
        made.set_int_custom_property(key, value)
    return made
