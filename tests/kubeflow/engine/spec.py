"""Parses a compiled file with the published protos."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2


@dataclass(frozen=True)
class Spec:
    """Content of a compiled file.

    Attributes:
        pipeline: the PipelineSpec.
        executors: executors by label.
        root: the pipeline root.
        mounts: mount paths of the volumes by claim, by executor label.
    """

    pipeline: pipeline_spec_pb2.PipelineSpec
    executors: Mapping[str, pipeline_spec_pb2.PipelineDeploymentConfig.ExecutorSpec]
    root: str
    mounts: Mapping[str, Mapping[str, str]]

    @property
    def tasks(self):
        return self.pipeline.root.dag.tasks

    def component(self, task):
        return self.pipeline.components[self.tasks[task].component_ref.name]

    def executor(self, task):
        return self.executors[self.component(task).executor_label]

    def containers(self) -> Iterator[tuple[str, list[str]]]:
        """Each container task with its command line, and ExampleGen's driver."""
        for task in self.tasks:
            executor = self.executor(task)
            if executor.WhichOneof("spec") == "container":
                yield task, command_line(executor.container)
                hook = executor.container.lifecycle.pre_cache_check
                if hook.command:
                    yield f"{task}: pre-cache check", command_line(hook)


def command_line(container) -> list[str]:
    return [*container.command, *container.args]


def parse(text: str, root: str = "") -> Spec:
    """Parses a Vertex job in JSON, or a PipelineSpec and a PlatformSpec in YAML.

    Args:
        text: the compiled file.
        root: the pipeline root of the request; only Vertex reads one from the file.

    Raises:
        json_format.ParseError: a field does not exist in the published protos.
    """
    documents = list(yaml.load_all(text, yaml.CSafeLoader))
    if "pipelineSpec" in documents[0]:
        job = json_format.ParseDict(documents[0], pipeline_spec_pb2.PipelineJob())
        return _spec(job.pipeline_spec, job.runtime_config.gcs_output_directory, {})
    platform = json_format.ParseDict(
        documents[1] if documents[1:] else {}, pipeline_spec_pb2.PlatformSpec()
    )
    return _spec(documents[0], root, _mounts(platform))


def _spec(pipeline, root, mounts):
    as_dict = pipeline if isinstance(pipeline, dict) else json_format.MessageToDict(pipeline)
    spec = json_format.ParseDict(as_dict, pipeline_spec_pb2.PipelineSpec())
    # Parsed from text, because all numbers of a Struct are floats.
    deployment = json_format.Parse(
        json.dumps(json_format.MessageToDict(spec.deployment_spec)),
        pipeline_spec_pb2.PipelineDeploymentConfig(),
    )
    return Spec(spec, deployment.executors, root, mounts)


def _mounts(platform):
    mounts = {}
    for label, config in platform.platforms["kubernetes"].deployment_spec.executors.items():
        parsed = json_format.ParseDict(
            json_format.MessageToDict(config),
            kubernetes_executor_config_pb2.KubernetesExecutorConfig(),
        )
        mounts[label] = {mount.constant: mount.mount_path for mount in parsed.pvc_mount}
    return mounts
