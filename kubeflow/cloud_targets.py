"""The graph's nodes on Vertex AI and on Kubeflow Pipelines, and how each compiled file differs."""

import math
from collections.abc import Sequence
from typing import Any

from tfx.components import Trainer
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import (
    LatestBlessedModelStrategy,
)
from tfx.types import Channel
from tfx.types.standard_artifacts import Model, ModelBlessing

from components.baseline.component import ModelInService
from components.push_gate.component import PushGate
from components.report.component import Report
from components.scorer.component import Scorer
from formats import names
from formats.source_version import project_version
from kubeflow.dataflow_options import with_dataflow_options
from kubeflow.endpoint_pusher import EndpointPusher
from kubeflow.target_checks import check_kubeflow, check_vertex
from kubeflow.vertex_jobs import serving_settings, training_settings
from kubeflow.vertex_trainer import JobTrainer
from pipeline.cloud_config import KubeflowConfig, RemoteConfig, VertexConfig
from pipeline.config import Config
from pipeline.target import Target

Document = dict[str, Any]
"""One document of a compiled file."""


class RemoteTarget(Target):
    """What Vertex AI and Kubeflow Pipelines have in common."""

    section: RemoteConfig
    """The configuration's section of this target."""

    spec_2_1: bool
    """Whether the file is a PipelineSpec 2.1 in YAML rather than a job of version 2.0 in JSON."""

    retry_period: str
    """Time within which a task may be repeated."""

    def closing_nodes(self, nodes: Sequence[BaseNode]) -> list[BaseNode]:
        """PushGate and Report, in any case: engines show only which node failed, and artifacts."""
        outputs = {
            (node.id, key): channel for node in nodes for key, channel in node.outputs.items()
        }
        gate = PushGate(
            pushed_model=outputs[names.PUSHED_MODEL],
            evaluation=outputs[names.EVALUATION],
            infra_blessing=outputs[names.INFRA_BLESSING],
        )
        report = Report(
            examples=outputs[names.EXAMPLES],
            schema=outputs[names.SCHEMA],
            statistics=outputs[names.STATISTICS],
            histograms=outputs[names.HISTOGRAMS],
            anomalies=outputs[names.ANOMALIES],
            data_verdict=outputs[names.DATA_VERDICT],
            model=outputs[names.MODEL],
            model_run=outputs[names.MODEL_RUN],
            evaluation=outputs[names.EVALUATION],
            blessing=outputs[names.BLESSING],
            infra_blessing=outputs[names.INFRA_BLESSING],
            pushed_model=outputs[names.PUSHED_MODEL],
            test_evaluation=outputs.get(names.TEST_EVALUATION),
            configuration=self.config.model_dump_json(
                exclude=None if self.config.score else {"score"}
            ),
            # Of all the code, because the page states what the run was made with.
            code_version=project_version(),
        )
        return [gate, report]

    def container_arguments(self) -> list[str]:
        """Arguments of every container, for ``kubeflow.container``."""
        return []

    def reads_outside_state(self, node: BaseNode) -> bool:
        """Whether a node's result depends on state that the engine's cache cannot see.

        True for the model in service, which no resolver looks up, and for files to score.
        """
        return isinstance(node, (ModelInService, Scorer))

    def documents(self, job: Document) -> list[Document]:
        """The documents of the file, from the job that TFX compiled."""
        raise NotImplementedError


class VertexTarget(RemoteTarget):
    """Vertex AI: trains in a custom job, and has resolvers and ExampleGen's driver."""

    section: VertexConfig
    spec_2_1 = False
    retry_period = "3600s"

    def __init__(self, config: Config):
        """Checks ``config`` for Vertex AI and completes Dataflow's options.

        Raises:
            ConfigError: Vertex AI cannot run it.
        """
        self.section = check_vertex(config)
        super().__init__(with_dataflow_options(config, self.section))

    def trainer(self, custom_config: dict[str, Any], **arguments: Any) -> Trainer:
        """A Trainer that starts a custom job on the machines of ``vertex.training``."""
        settings = training_settings(self.config, self.section)
        settings |= self.required_accelerator()
        node = JobTrainer(custom_config={**custom_config, **settings}, **arguments)
        return node.with_id(names.TRAINER)

    def required_accelerator(self) -> dict[str, Any]:
        """Kind and number of the accelerators of ``vertex.training``, per machine."""
        training = self.section.training
        if training.tpu_topology:
            return _required("tpu", math.prod(map(int, training.tpu_topology.split("x"))))
        if training.accelerator is None:
            return {}
        kind = "tpu" if training.has_tpu_accelerator else "gpu"
        return _required(kind, training.accelerator_count)

    def model_in_service(self, node_id: str, candidate: Channel | None = None) -> BaseNode:
        """The newest version of the push folder; for an endpoint, the latest blessed model.

        No folder shows what an endpoint serves. TFX's resolver, the only one that Vertex AI can
        interpret, does not exclude the candidate: a run with nothing changed finds its cached
        model and compares it with itself, once.
        """
        if self.section.endpoint is None:
            return super().model_in_service(node_id, candidate)
        return Resolver(
            strategy_class=LatestBlessedModelStrategy,
            model=Channel(type=Model),
            model_blessing=Channel(type=ModelBlessing),
        ).with_id(node_id)

    def pusher(self, **inputs: Channel) -> BaseComponent:
        """Deploys to ``vertex.endpoint``, or copies to the push folder if there is none."""
        endpoint = self.section.endpoint
        if endpoint is None:
            return super().pusher(**inputs)
        node = EndpointPusher(
            custom_config=serving_settings(self.section, endpoint),
            **{key: inputs[key] for key in ("model", "model_blessing", "infra_blessing")},
        )
        return node.with_id(names.PUSHER)

    def reads_outside_state(self, node: BaseNode) -> bool:
        """True for ingestion and the schema as well, without a content key.

        Whether Vertex AI's cache considers what ExampleGen's driver found is not documented.
        Without ingestion nothing behind the schema is reused, and its file may be gone from the
        store.
        """
        is_unnamed = not node.inputs and not self.config.ingestion.content_key
        return super().reads_outside_state(node) or is_unnamed

    def documents(self, job: Document) -> list[Document]:
        """The job with the labels of ``vertex.labels``."""
        return [{**job, "labels": {**job.get("labels", {}), **self.section.labels}}]


class KubeflowTarget(RemoteTarget):
    """Kubeflow Pipelines 2: no resolvers, no ExampleGen driver; its launcher copies artifacts."""

    section: KubeflowConfig
    spec_2_1 = True
    # Argo counts from the start of the first attempt, and kills the later ones at its end:
    # processNodeRetries in workflow/controller/operator.go, 4.0.5.
    retry_period = "604800s"

    def __init__(self, config: Config):
        """Checks ``config`` for Kubeflow.

        Raises:
            ConfigError: Kubeflow cannot run it.
        """
        self.section = check_kubeflow(config)
        super().__init__(config)

    def trainer(self, custom_config: dict[str, Any], **arguments: Any) -> Trainer:
        """A Trainer that fails if the accelerators of its resources are not visible."""
        return super().trainer({**custom_config, **self.required_accelerator()}, **arguments)

    def required_accelerator(self) -> dict[str, Any]:
        """Kind and number of the accelerators of the Trainer's resources."""
        resources = self.section.resources.get(names.TRAINER)
        if resources is None or resources.accelerator is None:
            return {}
        # Not every GPU resource has gpu in its name: a slice of one is nvidia.com/mig-1g.5gb.
        kind = "tpu" if "tpu" in resources.accelerator else "gpu"
        return _required(kind, resources.accelerator_count)

    def container_arguments(self) -> list[str]:
        """The volume of the artifacts, if they are on one."""
        volume = self.section.artifacts_volume
        return [f"--artifacts_folder={volume}"] if volume else []

    def reads_outside_state(self, node: BaseNode) -> bool:
        """True for ingestion as well: Kubeflow has no driver that looks at the shards.

        Then nothing behind the schema is reused either, and its file may be gone from the store.
        """
        return super().reads_outside_state(node) or not node.inputs

    def documents(self, job: Document) -> list[Document]:
        """The PipelineSpec and, if there are volumes, Kubernetes' part: each container's mounts."""
        spec = job["pipelineSpec"]
        mounts = [
            {"constant": volume.claim, "mountPath": volume.mount_path}
            for volume in self.section.volumes
        ]
        if not mounts:
            return [spec]
        executors = {label: {"pvcMount": mounts} for label in spec["deploymentSpec"]["executors"]}
        return [spec, {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}]


def _required(kind: str, count: int | None) -> dict[str, Any]:
    """The entries of the Trainer's ``custom_config``; it fails with fewer accelerators."""
    return {"accelerator": kind, "accelerator_count": count}


TARGETS: dict[str, type[RemoteTarget]] = {"vertex": VertexTarget, "kubeflow": KubeflowTarget}
"""The targets by their names on the command line."""
