"""Kubeflow Pipelines 2: its driver and launcher, and what they do not have.

As its sources do: an artifact arrives without its type, under its number in the metadata store;
the launcher copies it from the object store to a folder of the container's own, and back; a
resolver is an error; hooks before the cache are ignored; conditions see parameters only.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from engine import conditions
from engine.dag import Artifact, Engine, RefusedError, Task, constants, declared_outputs
from engine.spec import command_line

SCHEMES = ("gs://", "s3://", "minio://")
LAUNCHERS_FOLDERS = ("/gcs", "/s3", "/minio")


@dataclass
class KubeflowEngine(Engine):
    """Runs a PipelineSpec 2.1. The folder ``store`` stands for the object store."""

    def check(self, spec):
        if spec.pipeline.schema_version != "2.1.0":
            raise RefusedError(f"schema version {spec.pipeline.schema_version}")
        if not spec.root.startswith(SCHEMES):
            raise RefusedError(f"pipeline root {spec.root}")
        for name, task in spec.tasks.items():
            executor = spec.executor(name)
            if executor.WhichOneof("spec") == "resolver":
                raise RefusedError(f"{name}: resolver not implemented")
            if executor.container.lifecycle.pre_cache_check.command:
                raise RefusedError(f"{name}: a hook before the cache would never run")
            if conditions.reads_artifacts(task.trigger_policy.condition):
                raise RefusedError(f"{name}: a condition sees no artifacts")

    def container(self, spec, name, inputs, folder):
        parameters = constants(spec, name)
        return self.cached(
            spec, name, inputs, parameters, lambda: self._launch(spec, name, inputs, folder)
        )

    def _launch(self, spec, name, inputs, folder):
        outputs = {
            key: Artifact(
                # What downstream is told: the number in the metadata store.
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
                            for a in given
                        ]
                    }
                    for key, given in inputs.items()
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
            _on_own_disk(argument, disk).replace("{{$}}", json.dumps(executor_input))
            for argument in command_line(spec.executor(name).container)
        ]
        for listed in inputs.values():
            for artifact in listed:
                _copy(self.path(artifact), _local(artifact.uri, disk))
        code = self.start(command, folder / "log")
        if code:
            # The launcher's own code is 1 whatever the command's was.
            return Task("failed", {}, folder / "log", 1)
        collected = self.collect(outputs, json.loads(output_file.read_text()))
        for [artifact] in collected.values():
            _copy(_local(artifact.uri, disk), self.path(artifact))
        shutil.rmtree(disk, ignore_errors=True)
        return Task("succeeded", collected, folder / "log")

    def path(self, artifact):
        return self.folder / "store" / artifact.uri.partition("://")[2]


def _on_own_disk(argument, disk):
    """Every container has the launcher's folders for itself."""
    for folder in LAUNCHERS_FOLDERS:
        if argument == f"--artifacts_folder={folder}":
            return f"--artifacts_folder={disk}{folder}"
    return argument


def _local(uri, disk):
    folder = dict(zip(SCHEMES, LAUNCHERS_FOLDERS, strict=True))
    scheme = next(s for s in SCHEMES if uri.startswith(s))
    return Path(f"{disk}{folder[scheme]}", uri.removeprefix(scheme))


def _copy(source, destination):
    # The launcher warns of what is not there, and goes on.
    if source.exists():
        shutil.copytree(source, destination, dirs_exist_ok=True)
