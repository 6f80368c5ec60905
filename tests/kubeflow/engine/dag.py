"""Walks a DAG: starts what is ready, passes artifacts on, and remembers them between runs."""

import hashlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml
from google.protobuf import json_format

from engine.spec import Spec, parse

# Starts a command line with its output in a file, and gives its exit code.
Start = Callable[[list[str], Path], int]


@dataclass(frozen=True)
class Artifact:
    """An artifact as a metadata store has it."""

    name: str
    uri: str
    schema: str
    metadata: Mapping[str, object]

    @property
    def title(self):
        return yaml.safe_load(self.schema)["title"]


@dataclass(frozen=True)
class Task:
    """What became of a task: ``succeeded``, ``cached``, ``failed`` or ``not triggered``."""

    state: str
    outputs: Mapping[str, list[Artifact]] = field(default_factory=dict)
    log: Path | None = None
    code: int = 0

    def output(self, key):
        [artifact] = self.outputs[key]
        return artifact


class RefusedError(Exception):
    """The engine's backend has no such thing."""


@dataclass
class Engine:
    """An engine with its store; subclasses do what is done around a container.

    Attributes:
      folder: where everything of the engine lies.
      start: starts a container's command.
      at_once: tasks at the same time.
    """

    folder: Path
    start: Start
    at_once: int = 1
    store: list[Artifact] = field(default_factory=list)
    cache: dict[str, Mapping[str, list[Artifact]]] = field(default_factory=dict)
    runs: int = 0

    def run(self, text: str) -> dict[str, Task]:
        """Runs a compiled file to its end.

        Raises:
          RefusedError: the file asks for what this engine's backend has not.
        """
        self.runs += 1
        spec = parse(text)
        self.check(spec)
        done: dict[str, Task] = {}
        with ThreadPoolExecutor(self.at_once) as pool:
            running = {}
            while len(done) < len(spec.tasks):
                for name in self._ready(spec, done, running.values()):
                    running[pool.submit(self._task, spec, name, done)] = name
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    done[running.pop(future)] = future.result()
        return done

    def check(self, spec: Spec) -> None:
        raise NotImplementedError

    def resolve(self, spec: Spec, name: str, inputs) -> Mapping[str, list[Artifact]]:
        raise NotImplementedError

    def container(self, spec: Spec, name: str, inputs, folder: Path) -> Task:
        raise NotImplementedError

    def triggered(self, condition: str, inputs) -> bool:
        raise NotImplementedError

    def path(self, artifact: Artifact) -> Path:
        """Where the files of an artifact are on this machine."""
        raise NotImplementedError

    def _ready(self, spec, done, running):
        for name, task in spec.tasks.items():
            upstream = {
                *task.dependent_tasks,
                *(i.task_output_artifact.producer_task for i in task.inputs.artifacts.values()),
            }
            if name not in done and name not in running and upstream <= done.keys():
                yield name

    def _task(self, spec, name, done):
        task = spec.tasks[name]
        producers = [i.task_output_artifact.producer_task for i in task.inputs.artifacts.values()]
        for upstream in (*task.dependent_tasks, *producers):
            if done[upstream].state in ("failed", "not triggered"):
                return Task("not triggered")
        inputs = {
            key: done[given.task_output_artifact.producer_task].outputs.get(
                given.task_output_artifact.output_artifact_key, []
            )
            for key, given in task.inputs.artifacts.items()
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
            self.store += [artifact for listed in result.outputs.values() for artifact in listed]
        return result

    def cached(self, spec, name, inputs, parameters, run: Callable[[], Task]) -> Task:
        """A task's outputs from an equal one before, or from running it."""
        key = hashlib.sha256(
            json.dumps(
                [
                    {key: [artifact.name for artifact in given] for key, given in inputs.items()},
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
        """Outputs with what the container wrote of them: metadata, and a URI of its own."""
        outputs = {}
        for key, artifact in provided.items():
            told = written.get("artifacts", {}).get(key, {}).get("artifacts", [{}])[0]
            metadata = {**artifact.metadata, **told.get("metadata", {})}
            outputs[key] = [
                replace(artifact, metadata=metadata, uri=told.get("uri") or artifact.uri)
            ]
        return outputs


def constants(spec: Spec, name: str) -> dict[str, object]:
    """A task's parameters: the constants that were compiled into it."""
    values = {}
    for key, given in spec.tasks[name].inputs.parameters.items():
        assert given.WhichOneof("kind") == "runtime_value", f"{name}.{key} is no constant"
        value = given.runtime_value
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
