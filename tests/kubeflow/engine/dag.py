"""Runs the tasks of a DAG, passes artifacts between them, and caches them between runs."""

import hashlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml
from google.protobuf import json_format

from engine.spec import Spec, parse

# Runs a command line with its output in a file; returns the exit code.
Start = Callable[[list[str], Path], int]


@dataclass(frozen=True)
class Artifact:
    """An artifact of a metadata store."""

    name: str
    uri: str
    schema: str
    metadata: Mapping[str, object]

    @property
    def title(self):
        return yaml.safe_load(self.schema)["title"]


@dataclass(frozen=True)
class Task:
    """Result of a task; its state is ``succeeded``, ``cached``, ``failed`` or ``not triggered``."""

    state: str
    outputs: Mapping[str, list[Artifact]] = field(default_factory=dict)
    log: Path | None = None
    code: int = 0

    def output(self, key):
        [artifact] = self.outputs[key]
        return artifact


class RejectedError(Exception):
    """The engine's backend does not support the file."""


@dataclass
class Engine:
    """An engine with its store; subclasses do what the engine does around a container.

    Attributes:
        folder: the engine's files.
        start: runs a container's command.
        max_tasks: maximum number of concurrent tasks.
    """

    folder: Path
    start: Start
    max_tasks: int = 1
    store: list[Artifact] = field(default_factory=list)
    cache: dict[str, Mapping[str, list[Artifact]]] = field(default_factory=dict)
    runs: int = 0

    def run(self, text: str, root: str = "") -> dict[str, Task]:
        """Runs a compiled file to its end.

        Args:
            text: the file.
            root: the pipeline root of the request, where the engine takes it from there.

        Raises:
            RejectedError: this engine's backend does not support the file.
        """
        self.runs += 1
        spec = parse(text, root)
        self.check(spec)
        finished: dict[str, Task] = {}
        with ThreadPoolExecutor(self.max_tasks) as pool:
            running = {}
            while len(finished) < len(spec.tasks):
                for name in self._ready(spec, finished, running.values()):
                    running[pool.submit(self._task, spec, name, finished)] = name
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    finished[running.pop(future)] = future.result()
        return finished

    def check(self, spec: Spec) -> None:
        raise NotImplementedError

    def resolve(self, spec: Spec, name: str, inputs) -> Mapping[str, list[Artifact]]:
        raise NotImplementedError

    def container(self, spec: Spec, name: str, inputs, folder: Path) -> Task:
        raise NotImplementedError

    def triggered(self, condition: str, inputs) -> bool:
        raise NotImplementedError

    def path(self, artifact: Artifact) -> Path:
        """Local path of an artifact's files."""
        raise NotImplementedError

    def _ready(self, spec, finished, running):
        for name, task in spec.tasks.items():
            upstream = {
                *task.dependent_tasks,
                *(i.task_output_artifact.producer_task for i in task.inputs.artifacts.values()),
            }
            if name not in finished and name not in running and upstream <= finished.keys():
                yield name

    def _task(self, spec, name, finished):
        task = spec.tasks[name]
        producers = [i.task_output_artifact.producer_task for i in task.inputs.artifacts.values()]
        for upstream in (*task.dependent_tasks, *producers):
            if finished[upstream].state in ("failed", "not triggered"):
                return Task("not triggered")
        inputs = {
            key: finished[spec_input.task_output_artifact.producer_task].outputs.get(
                spec_input.task_output_artifact.output_artifact_key, []
            )
            for key, spec_input in task.inputs.artifacts.items()
        }
        condition = task.trigger_policy.condition
        if condition and not self.triggered(condition, inputs):
            return Task("not triggered")
        if spec.executor(name).WhichOneof("spec") == "resolver":
            return Task("succeeded", self.resolve(spec, name, inputs))
        folder = self.folder / f"run-{self.runs}" / name
        folder.mkdir(parents=True)
        result = self.container(spec, name, inputs, folder)
        if result.state == "succeeded":
            self.store += [artifact for channel in result.outputs.values() for artifact in channel]
        return result

    def cached(self, spec, name, inputs, parameters, run: Callable[[], Task]) -> Task:
        """A task's outputs from an earlier equal task, or from running it."""
        key = hashlib.sha256(
            json.dumps(
                [
                    {key: [artifact.name for artifact in inputs[key]] for key in inputs},
                    parameters,
                    json_format.MessageToDict(spec.executor(name)),
                ],
                sort_keys=True,
            ).encode()
        ).hexdigest()
        if spec.tasks[name].caching_options.enable_cache and key in self.cache:
            return Task("cached", self.cache[key])
        result = run()
        if result.state == "succeeded":
            self.cache[key] = result.outputs
        return result

    def collect(self, provided, written) -> dict[str, list[Artifact]]:
        """Outputs with the metadata and URIs that the container wrote."""
        outputs = {}
        for key, artifact in provided.items():
            update = written.get("artifacts", {}).get(key, {}).get("artifacts", [{}])[0]
            metadata = {**artifact.metadata, **update.get("metadata", {})}
            outputs[key] = [
                replace(artifact, metadata=metadata, uri=update.get("uri") or artifact.uri)
            ]
        return outputs


def constants(spec: Spec, name: str) -> dict[str, object]:
    """A task's parameters, which are constants in the compiled file."""
    values = {}
    for key, parameter in spec.tasks[name].inputs.parameters.items():
        assert parameter.WhichOneof("kind") == "runtime_value", f"{name}.{key} is not a constant"
        value = parameter.runtime_value
        if value.WhichOneof("value") == "constant":
            values[key] = json_format.MessageToDict(value.constant)
        else:
            legacy = value.constant_value
            values[key] = getattr(legacy, legacy.WhichOneof("value"))
    return values


def declared_outputs(spec: Spec, name: str):
    for key, declared in spec.component(name).output_definitions.artifacts.items():
        yield (
            key,
            declared.artifact_type.instance_schema,
            json_format.MessageToDict(declared.metadata),
        )
