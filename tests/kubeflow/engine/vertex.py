"""Simulates Vertex AI Pipelines: managed metadata, ExampleGen's driver, resolvers, conditions."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from engine import conditions, queries
from engine.dag import Artifact, Engine, RejectedError, Task, constants, declared_outputs
from engine.spec import command_line

METADATA = "projects/123/locations/us-central1/metadataStores/default/artifacts"


@dataclass
class VertexEngine(Engine):
    """Runs a job of version 2.0. A folder represents the bucket."""

    def check(self, spec):
        if spec.pipeline.schema_version != "2.0.0":
            raise RejectedError(f"schema version {spec.pipeline.schema_version}")

    def path(self, artifact):
        return Path(artifact.uri)

    def triggered(self, condition, inputs):
        return conditions.holds(
            condition, {key: [asdict(a) for a in channel] for key, channel in inputs.items()}
        )

    def resolve(self, spec, name, inputs):
        artifacts = {}
        for key, query in spec.executor(name).resolver.output_artifact_queries.items():
            artifact = queries.latest(query.filter, inputs, self.store)
            artifacts[key] = [artifact] if artifact else []
        return artifacts

    def container(self, spec, name, inputs, folder):
        container = spec.executor(name).container
        root = Path(spec.root, "123", f"run-{self.runs}", f"{name}_{self.runs}")
        outputs = {
            key: Artifact(f"{METADATA}/{name}-{key}-{self.runs}", f"{root}/{key}", schema, metadata)
            for key, schema, metadata in declared_outputs(spec, name)
        }
        for artifact in outputs.values():
            # A disk needs folders, unlike an object store.
            Path(artifact.uri).mkdir(parents=True)
        output_file = root / "executor_output.json"
        parameters = constants(spec, name)
        driver_output = {}
        if container.lifecycle.pre_cache_check.command:
            executor_input = self._executor_input(parameters, inputs, outputs, output_file)
            command = _fill(command_line(container.lifecycle.pre_cache_check), executor_input)
            code = self.start(command, folder / "driver.log")
            if code:
                return Task("failed", {}, folder / "driver.log", code)
            driver_output = json.loads(output_file.read_text())
            for key, channel in self.collect(outputs, driver_output).items():
                [outputs[key]] = channel
        cache_parameters = {**parameters, **driver_output.get("parameterValues", {})}

        def execute():
            executor_input = self._executor_input(parameters, inputs, outputs, output_file)
            code = self.start(_fill(command_line(container), executor_input), folder / "log")
            if code:
                return Task("failed", {}, folder / "log", code)
            written = json.loads(output_file.read_text())
            return Task("succeeded", self.collect(outputs, written), folder / "log")

        return self.cached(spec, name, inputs, cache_parameters, execute)

    def _executor_input(self, parameters, inputs, outputs, output_file):
        kinds = {int: "intValue", float: "doubleValue", str: "stringValue"}
        return {
            "inputs": {
                "parameters": {
                    key: {kinds[type(value)]: value} for key, value in parameters.items()
                },
                "artifacts": {
                    key: {"artifacts": [_runtime(a) for a in channel]}
                    for key, channel in inputs.items()
                    if channel
                },
            },
            "outputs": {
                "artifacts": {key: {"artifacts": [_runtime(a)]} for key, a in outputs.items()},
                "outputFile": str(output_file),
            },
        }


def _runtime(artifact):
    return {
        "name": artifact.name,
        "uri": artifact.uri,
        "type": {"instanceSchema": artifact.schema},
        "metadata": dict(artifact.metadata),
    }


def _fill(command, executor_input):
    return [argument.replace("{{$}}", json.dumps(executor_input)) for argument in command]
