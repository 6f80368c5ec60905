"""From a configuration to the file that Vertex AI or Kubeflow Pipelines runs."""

import json
from collections.abc import Iterator, Mapping
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

from kubeflow.cloud_targets import KubeflowTarget, RemoteTarget, VertexTarget
from pipeline.cloud_config import Resources
from pipeline.config import ConfigError
from pipeline.graph import create_pipeline

CONTAINER_COMMAND = ("python", "-m", "kubeflow.container")


class SpecRunner(KubeflowV2DagRunner):
    """TFX's compiler, with what it leaves out of the file filled in.

    That is: the digest of a node's code, which keeps caches honest; resources of
    FileBasedExampleGen; the pipeline root and the volumes of Kubeflow. And taken out: Beam's
    options from nodes that have no use for them, so that another number of workers does not
    train again; and what Kubeflow's backend would ignore without a word.
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

    def run(self, pipeline: Pipeline, **_: Any) -> dict[str, Any]:
        """Writes the file and returns the job in it.

        Raises:
          ConfigError: resources are given for a node that the graph has not.
        """
        job: dict[str, Any] = super().run(pipeline, write_out=False)
        _check_names(self._target.section.resources, pipeline)
        for node in pipeline.components:
            _complete(node, pipeline, job["pipelineSpec"], self._target)
        documents = _documents(job, pipeline, self._target)
        out = Path(self._output_dir, self._output_filename)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(_dump(documents), encoding="utf-8")
        return documents[0]


def compile_pipeline(target: RemoteTarget, out: Path) -> dict[str, Any]:
    """Compiles the pipeline; asks no network and no credentials.

    Args:
      target: where it shall run.
      out: the file: JSON for Vertex, YAML for Kubeflow.

    Returns:
      The first document of the file.
    """
    return SpecRunner(target, out).run(create_pipeline(target.config, target))


def _check_names(resources: Mapping[str, Resources], pipeline: Pipeline) -> None:
    known = [node.id for node in pipeline.components]
    unknown = sorted(set(resources) - set(known))
    if unknown:
        raise ConfigError(f"resources.{unknown[0]}: no such node; there are {', '.join(known)}")


def _complete(
    node: BaseComponent, pipeline: Pipeline, spec: dict[str, Any], target: RemoteTarget
) -> None:
    executor = spec["deploymentSpec"]["executors"].get(f"{node.id}_executor", {})
    container = executor.get("container")
    if container is None:
        return
    if not isinstance(node.executor_spec, BeamExecutorSpec):
        beam = len(pipeline.beam_pipeline_args)
        container["args"] = container["args"][: len(container["args"]) - beam]
    container["args"] += [*node.executor_spec.extra_flags, *target.container_arguments()]
    if node.id in target.section.resources:
        container["resources"] = _resources(target.section.resources[node.id])
    if target.asks_outside(node):
        container.pop("lifecycle", None)
        spec["root"]["dag"]["tasks"][node.id].pop("cachingOptions", None)


def _resources(given: Resources) -> dict[str, Any]:
    resources: dict[str, Any] = {}
    if given.cpu:
        resources["cpuLimit"] = given.cpu
    if given.memory_gb:
        resources["memoryLimit"] = given.memory_gb
    if given.accelerator:
        resources["accelerator"] = {
            "type": given.accelerator,
            "count": str(given.accelerator_count),
        }
    return resources


def _documents(
    job: dict[str, Any], pipeline: Pipeline, target: RemoteTarget
) -> list[dict[str, Any]]:
    if isinstance(target, VertexTarget):
        job["labels"] = {**job.get("labels", {}), **target.section.labels}
        return [job]
    spec = job["pipelineSpec"]
    spec["defaultPipelineRoot"] = pipeline.pipeline_info.pipeline_root
    assert isinstance(target, KubeflowTarget)
    return [spec, *_platform(spec, target)]


def _platform(spec: dict[str, Any], target: KubeflowTarget) -> Iterator[dict[str, Any]]:
    """Kubernetes' part: every container mounts every volume."""
    mounts = [
        {"constant": volume.claim, "mountPath": volume.mount_path}
        for volume in target.section.volumes
    ]
    if mounts:
        executors = {label: {"pvcMount": mounts} for label in spec["deploymentSpec"]["executors"]}
        yield {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}


def _dump(documents: list[dict[str, Any]]) -> str:
    if "runtimeConfig" in documents[0]:
        return json.dumps(documents[0], indent=2, sort_keys=True) + "\n"
    return yaml.dump_all(documents, Dumper=_PlainDumper, sort_keys=True)


class _PlainDumper(yaml.SafeDumper):
    """Writes what occurs twice twice: a person who reads the file need not follow anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        """Never refers to an earlier value."""
        del data
        return True
