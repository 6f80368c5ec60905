"""Kubeflow Pipelines' driver and launcher, as far as a node can notice them.

Every rule names its source in github.com/kubeflow/pipelines: release, file, symbol. The container
itself is a process whose disk is a scratch folder of its own.
"""

import json
import shutil
from dataclasses import dataclass

from engine import conditions
from engine.dag import Artifact, Engine, RejectedError, Task, constants, declared_outputs
from engine.spec import command_line

# LocalPathForURI: backend/src/v2/component/launcher_v2.go, 2.4.1 and 2.17.0.
LAUNCHER_FOLDERS = {"gs": "gcs", "s3": "s3", "minio": "minio"}

LOGS = "executor-logs"


@dataclass(frozen=True)
class Release:
    """Differences between releases.

    Attributes:
        publishes_logs: the driver adds an output ``executor-logs`` to every container, and the
            launcher creates its file before it starts the command. provisionOutputs in
            backend/src/v2/driver/driver.go, and getLogWriter in launcher_v2.go; from 2.5.0 on.
        names_outputs: outputs carry a name. provisionOutputs, from 2.15.0 on.
        output_file_in_root: the output file is in the local folder of the task's root, rather
            than in the container's temporary folder. provisionOutputs, from 2.15.0 on;
            OutputMetadataFilepath in launcher_v2.go before.
        numbers_logs: the log's name has the number of the retry. qualifyExecutorLogsURI in
            launcher_v2.go, from 2.16.1 on.
    """

    publishes_logs: bool
    names_outputs: bool
    output_file_in_root: bool
    numbers_logs: bool


RELEASES = {
    "2.4": Release(False, False, False, False),
    "2.5 to 2.14": Release(True, False, False, False),
    "2.5 and later": Release(True, True, True, True),
    # The setting PUBLISH_LOGS of the API server is false.
    "2.15 and later, without logs": Release(False, True, True, False),
}


@dataclass
class KubeflowEngine(Engine):
    """Runs a PipelineSpec 2.1 as one of the releases does. ``store`` holds the buckets."""

    release: Release = RELEASES["2.5 and later"]

    def check(self, spec):
        # GetSpec and validation: backend/src/apiserver/template/v2_template.go, 2.5.0 and 2.17.0.
        if spec.pipeline.schema_version != "2.1.0":
            raise RejectedError(f"schema version {spec.pipeline.schema_version}")
        # The root is the one of the run's request; backend/src/v2/driver/root_dag.go.
        if not spec.root or spec.root.partition("://")[0] not in LAUNCHER_FOLDERS:
            raise RejectedError(f"pipeline root {spec.root!r} in the request")
        for name, task in spec.tasks.items():
            executor = spec.executor(name)
            # Resolver: backend/src/v2/compiler/argocompiler/argo.go, 2.5.0 and 2.17.0.
            if executor.WhichOneof("spec") == "resolver":
                raise RejectedError(f"{name}: resolver not implemented")
            # No code of the backend reads a container's lifecycle.
            if executor.container.lifecycle.pre_cache_check.command:
                raise RejectedError(f"{name}: a hook before the cache would never run")
            # Conditions see parameters only: backend/src/v2/driver/driver.go, willTrigger.
            if conditions.reads_artifacts(task.trigger_policy.condition):
                raise RejectedError(f"{name}: a condition sees no artifacts")

    def container(self, spec, name, inputs, folder):
        parameters = constants(spec, name)
        return self.cached(
            spec, name, inputs, parameters, lambda: self._launch(spec, name, inputs, folder)
        )

    def _launch(self, spec, name, inputs, folder):
        # An earlier node's disk is not available.
        disk = folder / "disk"
        task_root = f"{spec.root}/{spec.pipeline.pipeline_info.name}/run-{self.runs}/{name}/7f3a"
        outputs = {
            key: Artifact(
                # Downstream nodes get the artifact's id in ML Metadata as its name.
                str(len(self.store) + number),
                f"{task_root}/{key}",
                schema,
                metadata,
            )
            for number, (key, schema, metadata) in enumerate(declared_outputs(spec, name), 1)
        }
        output_file = self._output_file(disk, task_root)
        executor_input = {
            "inputs": {
                "parameterValues": constants(spec, name),
                "artifacts": {
                    key: {"artifacts": [self._input(artifact) for artifact in channel]}
                    for key, channel in inputs.items()
                },
            },
            "outputs": {
                "artifacts": self._outputs(outputs, task_root),
                "outputFile": str(output_file),
            },
        }
        for channel in inputs.values():
            for artifact in channel:
                self._download(artifact.uri, disk)
        if self.release.publishes_logs:
            log = _local(f"{task_root}/{self._log_name}", disk)
            log.parent.mkdir(parents=True, exist_ok=True)
            log.touch()
        command = [
            argument.replace("{{$}}", json.dumps(executor_input))
            for argument in command_line(spec.executor(name).container)
        ]
        code = self.start([*command, f"--launcher_root={disk}"], folder / "log")
        if code:
            # The launcher exits with 1, whatever the command's exit code was.
            return Task("failed", {}, folder / "log", 1)
        # getExecutorOutputFile: a missing file is an empty output.
        written = json.loads(output_file.read_text()) if output_file.exists() else {}
        collected = self.collect(outputs, written)
        for [artifact] in collected.values():
            self._upload(artifact.uri, disk)
        shutil.rmtree(disk, ignore_errors=True)
        return Task("succeeded", collected, folder / "log")

    @property
    def _log_name(self):
        return f"{LOGS}-0" if self.release.numbers_logs else LOGS

    def _output_file(self, disk, task_root):
        if self.release.output_file_in_root:
            return _local(task_root, disk) / "output_metadata.json"
        return disk / "tmp" / "kfp_outputs" / "output_metadata.json"

    def _input(self, artifact):
        # The driver passes artifacts without their types: ToRuntimeArtifact in
        # backend/src/v2/metadata/client.go knows schema titles only.
        return {"name": artifact.name, "uri": artifact.uri, "metadata": dict(artifact.metadata)}

    def _outputs(self, outputs, task_root):
        entries = {
            key: {
                "uri": artifact.uri,
                "type": {"instanceSchema": artifact.schema},
                "metadata": dict(artifact.metadata),
            }
            for key, artifact in outputs.items()
        }
        if self.release.publishes_logs:
            entries[LOGS] = {
                "uri": f"{task_root}/{self._log_name}",
                "type": {"schemaTitle": "system.Artifact"},
            }
        if self.release.names_outputs:
            entries = {key: {"name": key, **entry} for key, entry in entries.items()}
        return {key: {"artifacts": [entry]} for key, entry in entries.items()}

    def path(self, artifact):
        return self._stored(artifact.uri)

    def _stored(self, uri):
        return self.folder / "store" / uri.replace("://", "/")

    def _download(self, uri, disk):
        # DownloadBlob: backend/src/v2/objectstore/object_store.go; no object, no file.
        if self._stored(uri).exists():
            shutil.copytree(self._stored(uri), _local(uri, disk), dirs_exist_ok=True)

    def _upload(self, uri, disk):
        # uploadOutputArtifacts: a path that does not exist is a warning, and recorded empty. An
        # object store has no folders without files.
        if any(path.is_file() for path in _local(uri, disk).rglob("*")):
            shutil.copytree(_local(uri, disk), self._stored(uri), dirs_exist_ok=True)


def _local(uri, disk):
    scheme, _, location = uri.partition("://")
    return disk / LAUNCHER_FOLDERS[scheme] / location
