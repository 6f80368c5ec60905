"""Simulates Kubeflow Pipelines 2: its driver and launcher with their limitations.

As in Kubeflow's sources, an artifact arrives without its type, named by its number in the metadata
store. The launcher copies it from the object store to a folder of the container, and back. A
resolver is an error, hooks before the cache are ignored, and conditions see parameters only.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from engine import conditions
from engine.dag import Artifact, Engine, RejectedError, Task, constants, declared_outputs
from engine.spec import command_line

SCHEMES = ("gs://", "s3://", "minio://")
LAUNCHER_FOLDERS = ("/gcs", "/s3", "/minio")


@dataclass
class KubeflowEngine(Engine):
    """Runs a PipelineSpec 2.1. The folder ``store`` stands for the object store."""

    def check(self, spec):
        if spec.pipeline.schema_version != "2.1.0":
            raise RejectedError(f"schema version {spec.pipeline.schema_version}")
        if not spec.root.startswith(SCHEMES):
            raise RejectedError(f"pipeline root {spec.root}")
        for name, task in spec.tasks.items():
            executor = spec.executor(name)
            if executor.WhichOneof("spec") == "resolver":
                raise RejectedError(f"{name}: resolver not implemented")
            if executor.container.lifecycle.pre_cache_check.command:
                raise RejectedError(f"{name}: a hook before the cache would never run")
            if conditions.reads_artifacts(task.trigger_policy.condition):
                raise RejectedError(f"{name}: a condition sees no artifacts")

    def container(self, spec, name, inputs, folder):
        parameters = constants(spec, name)
        return self.cached(
            spec, name, inputs, parameters, lambda: self._launch(spec, name, inputs, folder)
        )

    def _launch(self, spec, name, inputs, folder):
        outputs = {
            key: Artifact(
                # Downstream tasks get the number in the metadata store.
                str(len(self.store) + number),
                f"{spec.root}/{spec.pipeline.pipeline_info.name}/run-{self.runs}/{name}/{key}",
                schema,
                metadata,
            )
            for number, (key, schema, metadata) in enumerate(declared_outputs(spec, name), 1)
        }
        output_file = folder / "output_metadata.json"
        executor_input = {
            "inputs": {
                "parameterValues": constants(spec, name),
                "artifacts": {
                    key: {
                        "artifacts": [
                            {"name": a.name, "uri": a.uri, "metadata": dict(a.metadata)}
                            for a in channel
                        ]
                    }
                    for key, channel in inputs.items()
                },
            },
            "outputs": {
                "artifacts": {
                    key: {
                        "artifacts": [
                            {
                                "uri": a.uri,
                                "type": {"instanceSchema": a.schema},
                                "metadata": dict(a.metadata),
                            }
                        ]
                    }
                    for key, a in outputs.items()
                },
                "outputFile": str(output_file),
            },
        }
        disk = folder / "disk"
        command = [
            _on_local_disk(argument, disk).replace("{{$}}", json.dumps(executor_input))
            for argument in command_line(spec.executor(name).container)
        ]
        for channel in inputs.values():
            for artifact in channel:
                _copy(self.path(artifact), _local(artifact.uri, disk))
        code = self.start(command, folder / "log")
        if code:
            # The launcher's exit code is 1, whatever the command's was.
            return Task("failed", {}, folder / "log", 1)
        collected = self.collect(outputs, json.loads(output_file.read_text()))
        for [artifact] in collected.values():
            _copy(_local(artifact.uri, disk), self.path(artifact))
        shutil.rmtree(disk, ignore_errors=True)
        return Task("succeeded", collected, folder / "log")

    def path(self, artifact):
        return self.folder / "store" / artifact.uri.partition("://")[2]


def _on_local_disk(argument, disk):
    """The argument with a folder of this container in place of the launcher's."""
    for folder in LAUNCHER_FOLDERS:
        if argument == f"--artifacts_folder={folder}":
            return f"--artifacts_folder={disk}{folder}"
    return argument


def _local(uri, disk):
    folders = dict(zip(SCHEMES, LAUNCHER_FOLDERS, strict=True))
    scheme = next(s for s in SCHEMES if uri.startswith(s))
    return Path(f"{disk}{folders[scheme]}", uri.removeprefix(scheme))


def _copy(source, destination):
    # The launcher only warns if the source does not exist.
    if source.exists():
        shutil.copytree(source, destination, dirs_exist_ok=True)
