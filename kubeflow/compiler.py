"""Compiles a configuration into the file that Vertex AI or Kubeflow Pipelines runs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import (
    KubeflowV2DagRunner,
    KubeflowV2DagRunnerConfig,
)
from tfx.orchestration.pipeline import Pipeline

from formats.atomic_files import atomic_path
from kubeflow.cloud_targets import Document, RemoteTarget
from kubeflow.engine_runs import DECIDING_NODES
from pipeline.cloud_config import Resources
from pipeline.config import ConfigError
from pipeline.graph import create_pipeline

BACKOFF = {"backoffDuration": "60s", "backoffFactor": 2.0}
"""Delay before a task is repeated."""

CONTAINER_COMMAND = ("python", "-m", "kubeflow.container")


class SpecRunner(KubeflowV2DagRunner):
    """TFX's compiler, with corrections to its output.

    It adds the digest of each node's code, by which caches notice edits, resources of
    FileBasedExampleGen, and Kubeflow's pipeline root and volumes. It removes Beam options from
    nodes that do not run Beam, so that another number of workers does not cause another
    training, and the fields that Kubeflow's backend ignores without a message.
    """

    def __init__(self, target: RemoteTarget, out: Path):
        """Compiles for ``target`` into the file ``out``; TFX's command line may move it."""
        settings = KubeflowV2DagRunnerConfig(
            default_image=target.section.image,
            default_commands=list(CONTAINER_COMMAND),
            use_pipeline_spec_2_1=target.spec_2_1,
        )
        super().__init__(settings, output_dir=str(out.parent), output_filename=out.name)
        self._target = target

    def run(self, pipeline: Pipeline, **_: Any) -> Document:
        """Writes the file and returns its first document.

        Raises:
            ConfigError: resources are given for a node that is not in the graph.
        """
        job: Document = super().run(pipeline, write_out=False)
        _check_node_names(self._target.section.resources, pipeline)
        for node in pipeline.components:
            _complete_task(node, pipeline, job["pipelineSpec"], self._target)
        documents = self._target.documents(job)
        content = _serialize(documents, as_yaml=self._target.spec_2_1)
        with atomic_path(Path(self._output_dir, self._output_filename)) as temporary:
            temporary.write_text(content, encoding="utf-8")
        return documents[0]


def compile_pipeline(target: RemoteTarget, out: Path) -> Document:
    """Compiles the pipeline; needs neither network nor credentials.

    Args:
        target: where the pipeline will run.
        out: the file to write: JSON for Vertex AI, YAML for Kubeflow.

    Returns:
        The first document of the file.
    """
    content_key = target.config.ingestion.content_key or ""
    pipeline = create_pipeline(target.config, target, content_key=content_key)
    return SpecRunner(target, out).run(pipeline)


def _check_node_names(resources: Mapping[str, Resources], pipeline: Pipeline) -> None:
    node_ids = [node.id for node in pipeline.components]
    unknown = sorted(set(resources) - set(node_ids))
    if unknown:
        raise ConfigError(f"resources.{unknown[0]}: no such node; there are {', '.join(node_ids)}")


def _complete_task(
    node: BaseComponent, pipeline: Pipeline, spec: Document, target: RemoteTarget
) -> None:
    executor = spec["deploymentSpec"]["executors"].get(f"{node.id}_executor", {})
    container = executor.get("container")
    if container is None:
        return
    if not isinstance(node.executor_spec, BeamExecutorSpec):
        num_beam_args = len(pipeline.beam_pipeline_args)
        container["args"] = container["args"][: len(container["args"]) - num_beam_args]
    component = spec["components"][node.id]
    outputs = component.get("outputDefinitions", {}).get("artifacts", {})
    container["args"] += [
        *node.executor_spec.extra_flags,
        f"--outputs={','.join(sorted(outputs))}",
        *_parameter_types(component),
        *target.container_arguments(),
    ]
    if node.id in target.section.resources:
        container["resources"] = _resource_limits(target.section.resources[node.id])
    task = spec["root"]["dag"]["tasks"][node.id]
    if target.reads_outside_state(node):
        container.pop("lifecycle", None)
        task.pop("cachingOptions", None)
    # Engines repeat a task after any exit code, but a gate's decision is final.
    if target.section.retries and node.id not in DECIDING_NODES:
        policy = {**BACKOFF, "backoffMaxDuration": target.retry_period}
        task["retryPolicy"] = {**policy, "maxRetryCount": target.section.retries}


def _parameter_types(component: Document) -> list[str]:
    """The argument with the types of a component's parameters, which only jobs of 2.0 need."""
    parameters = component.get("inputDefinitions", {}).get("parameters", {})
    types = {key: parameter.get("type") for key, parameter in sorted(parameters.items())}
    listed = ",".join(f"{key}:{name}" for key, name in types.items() if name)
    return [f"--parameters={listed}"] if listed else []


def _resource_limits(resources: Resources) -> dict[str, Any]:
    limits: dict[str, Any] = {"cpuLimit": resources.cpu, "memoryLimit": resources.memory_gb}
    if resources.accelerator:
        limits["accelerator"] = {
            "type": resources.accelerator,
            "count": str(resources.accelerator_count),
        }
    return {key: limit for key, limit in limits.items() if limit is not None}


def _serialize(documents: list[Document], *, as_yaml: bool) -> str:
    texts = [json.dumps(document, indent=2, sort_keys=True) for document in documents]
    # Values that occur repeatedly are written in full: anchors and aliases are hard to read.
    return yaml.safe_dump_all(map(json.loads, texts)) if as_yaml else texts[0] + "\n"
