"""What the graph's nodes are on Vertex AI and on Kubeflow Pipelines: every difference there is."""

from typing import Any

from tfx.components import FileBasedExampleGen, Pusher, Trainer
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import (
    LatestBlessedModelStrategy,
)
from tfx.extensions.google_cloud_ai_platform.pusher.component import Pusher as VertexPusher
from tfx.extensions.google_cloud_ai_platform.trainer.component import Trainer as VertexTrainer
from tfx.types import Channel
from tfx.types.standard_artifacts import Model, ModelBlessing

from components.baseline.component import ModelInService
from components.push_gate.component import PushGate
from kubeflow.target_checks import (
    KUBEFLOW_SCHEMES,
    beam_runners,
    check_kubeflow,
    check_vertex,
    option_names,
)
from kubeflow.vertex_jobs import serving_settings, training_settings
from pipeline.cloud_config import KubeflowConfig, RemoteConfig, VertexConfig
from pipeline.code_version import runs_code_of
from pipeline.config import Config
from pipeline.target import Target


class RemoteTarget(Target):
    """What Vertex AI and Kubeflow Pipelines have in common."""

    section: RemoteConfig
    """The configuration's section of this target."""

    spec_2_1: bool
    """Whether the file is a PipelineSpec 2.1 rather than a job of 2.0."""

    def closing_nodes(self, pusher: Pusher) -> list[BaseNode]:
        """A node that fails when nothing was pushed, for the engine tells no more than that."""
        gate = PushGate(pushed_model=pusher.outputs["pushed_model"])
        runs_code_of(gate, "components.push_gate.component")
        return [gate]

    def container_arguments(self) -> list[str]:
        """Arguments of every container, for ``kubeflow.container``."""
        return []

    def asks_outside(self, node: BaseNode) -> bool:
        """Whether a node's result depends on what the engine's cache cannot see."""
        del node
        return False


class VertexTarget(RemoteTarget):
    """Vertex AI: trains as a custom job, and has resolvers and ExampleGen's driver."""

    section: VertexConfig
    spec_2_1 = False

    def __init__(self, config: Config):
        """Checks ``config`` for Vertex, and completes Dataflow's options.

        Raises:
          ConfigError: Vertex cannot run it.
        """
        self.section = check_vertex(config)
        super().__init__(with_dataflow_options(config, self.section))

    def trainer(self, custom_config: dict[str, Any], **arguments: Any) -> Trainer:
        """A custom job on the machines of ``vertex.training``."""
        settings = training_settings(self.config, self.section)
        return VertexTrainer(custom_config={**custom_config, **settings}, **arguments)

    def latest_blessed_model(self, node_id: str, candidate: Channel | None = None) -> BaseNode:
        """TFX's own resolver, the one that Vertex can interpret.

        It does not leave the candidate out: a run with nothing changed finds its cached model
        and compares it with itself, once.
        """
        del candidate
        return Resolver(
            strategy_class=LatestBlessedModelStrategy,
            model=Channel(type=Model),
            model_blessing=Channel(type=ModelBlessing),
        ).with_id(node_id)

    def pusher(self, **inputs: Channel) -> Pusher:
        """Deploys to ``vertex.endpoint``, or copies to the push folder when there is none."""
        endpoint = self.section.endpoint
        if endpoint is None:
            return super().pusher(**inputs)
        return VertexPusher(custom_config=serving_settings(self.section, endpoint), **inputs)


class KubeflowTarget(RemoteTarget):
    """Kubeflow Pipelines 2: no resolver, no driver of ExampleGen, artifacts by its launcher."""

    section: KubeflowConfig
    spec_2_1 = True

    def __init__(self, config: Config):
        """Checks ``config`` for Kubeflow.

        Raises:
          ConfigError: Kubeflow cannot run it.
        """
        self.section = check_kubeflow(config)
        super().__init__(config)

    def latest_blessed_model(self, node_id: str, candidate: Channel | None = None) -> BaseNode:
        """The model now in the push folder, in the place of a resolver."""
        del candidate
        node = ModelInService(push_directory=self.config.push_directory).with_id(node_id)
        runs_code_of(node, "components.baseline.component")
        return node

    def container_arguments(self) -> list[str]:
        """The folder in which a container finds artifacts, and must leave them."""
        return [f"--artifacts_folder={self.section.artifacts_volume or self._launchers_folder()}"]

    def asks_outside(self, node: BaseNode) -> bool:
        """Ingestion and the model in service; Vertex has a driver and a resolver for these."""
        return isinstance(node, FileBasedExampleGen | ModelInService)

    def _launchers_folder(self) -> str:
        # Kubeflow's launcher copies gs:// to /gcs, and the others to folders of their names.
        folders = dict(zip(KUBEFLOW_SCHEMES, ("/gcs", "/s3", "/minio"), strict=True))
        return next(folders[s] for s in KUBEFLOW_SCHEMES if self.config.root.startswith(s))


def with_dataflow_options(config: Config, vertex: VertexConfig) -> Config:
    """Adds what Dataflow must know to Beam options that name it for any node, unless it is given.

    The workers start from an image with the nodes' code: nothing is staged but the job.
    """
    labels = [f"--labels={key}={value}" for key, value in vertex.labels.items()]
    known = [
        f"--project={vertex.project}",
        f"--region={vertex.region}",
        f"--temp_location={config.root}/dataflow/temp",
        f"--staging_location={config.root}/dataflow/staging",
    ]
    if vertex.worker_image:
        known.append(f"--sdk_container_image={vertex.worker_image}")
    known.append("--sdk_location=container")
    if vertex.service_account:
        known.append(f"--service_account_email={vertex.service_account}")
    if "DataflowRunner" not in beam_runners(config.beam):
        return config
    given = option_names(config.beam.args)
    missing = [arg for arg in [*known, *labels] if option_names((arg,)).isdisjoint(given)]
    beam = config.beam.model_copy(update={"args": (*config.beam.args, *missing)})
    return config.model_copy(update={"beam": beam})


TARGETS: dict[str, type[RemoteTarget]] = {"vertex": VertexTarget, "kubeflow": KubeflowTarget}
"""The targets by their names on the command line."""
