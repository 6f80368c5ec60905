"""Vertex AI Pipelines: managed metadata, a driver before ExampleGen, resolvers, conditions."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from engine import conditions, queries
from engine.dag import Artifact, Engine, RefusedError, Task, constants, declared_outputs
from engine.spec import command_line

METADATA = "projects/123/locations/us-central1/metadataStores/default/artifacts"


@dataclass
class VertexEngine(Engine):
    """Runs a job of spec 2.0. A folder stands for the bucket."""

    def check(self, spec):
        if spec.pipeline.schema_version != "2.0.0":
            raise RefusedError(f"schema version {spec.pipeline.schema_version}")

    def path(self, artifact):
        return Path(artifact.uri)

    def triggered(self, condition, inputs):
        return conditions.holds(
            condition, {key: [asdict(a) for a in listed] for key, listed in inputs.items()}
        )

    def resolve(self, spec, name, inputs):
        found = {}
        for key, query in spec.executor(name).resolver.output_artifact_queries.items():
            artifact = queries.latest(query.filter, inputs, self.store)
            found[key] = [artifact] if artifact else []
        return found

    def container(self, spec, name, inputs, folder):
        container = spec.executor(name).container
        root = Path(spec.root, "123", f"run-{self.runs}", f"{name}_{self.runs}")
        outputs = {
            key: Artifact(f"{METADATA}/{name}-{key}-{self.runs}", f"{root}/{key}", schema, metadata)
            for key, schema, metadata in declared_outputs(spec, name)
        }
        for artifact in outputs.values():
            # An object store needs no folders; a disk does.
            Path(artifact.uri).mkdir(parents=True)
        output_file = root / "executor_output.json"
        parameters = constants(spec, name)
        driven = {}
        if container.lifecycle.pre_cache_check.command:
            given = self._executor_input(parameters, inputs, outputs, output_file)
            command = _fill(command_line(container.lifecycle.pre_cache_check), given)
            code = self.start(command, folder / "driver.log")
            if code:
                return Task("failed", {}, folder / "driver.log", code)
            driven = json.loads(output_file.read_text())
            for key, listed in self.collect(outputs, driven).items():
                [outputs[key]] = listed
        told = {**parameters, **driven.get("parameterValues", {})}

        def execute():
            given = self._executor_input(parameters, inputs, outputs, output_file)
            code = self.start(_fill(command_line(container), given), folder / "log")
            if code:
                return Task("failed", {}, folder / "log", code)
            written = json.loads(output_file.read_text())
            return Task("succeeded", self.collect(outputs, written), folder / "log")

        return self.cached(spec, name, inputs, told, execute)

    def _executor_input(self, parameters, inputs, outputs, output_file):
        kinds = {int: "intValue", float: "doubleValue", str: "stringValue"}
        return {
            "inputs": {
                "parameters": {
                    key: {kinds[type(value)]: value} for key, value in parameters.items()
                },
                "artifacts": {
                    key: {"artifacts": [_runtime(a) for a in given]}
                    for key, given in inputs.items()
                    if given
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
