"""The sections ``vertex`` and ``kubeflow`` of the configuration: the graph on other machines.

What a key alone can tell is checked here; what depends on several keys is checked by
``kubeflow.target_checks`` before anything is compiled.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, coerce_numbers_to_str=True)

# The names of the API's enumeration, without those that Vertex no longer has machines for.
Accelerator = Literal[
    "NVIDIA_TESLA_P100",
    "NVIDIA_TESLA_V100",
    "NVIDIA_TESLA_P4",
    "NVIDIA_TESLA_T4",
    "NVIDIA_TESLA_A100",
    "NVIDIA_A100_80GB",
    "NVIDIA_L4",
    "NVIDIA_H100_80GB",
    "NVIDIA_H100_MEGA_80GB",
    "NVIDIA_H200_141GB",
    "NVIDIA_B200",
    "TPU_V2",
    "TPU_V3",
]

# As the API and Kubernetes demand of labels.
LabelText = Annotated[str, Field(pattern=r"^[a-z0-9_-]{0,63}$")]


class _Section(BaseModel):
    model_config = FROZEN


class Resources(_Section):
    """What the container of one node gets."""

    cpu: float | None = Field(None, gt=0, description="cores")
    memory_gb: float | None = Field(None, gt=0, description="memory in GB")
    accelerator: str | None = Field(
        None, description="Vertex: an accelerator's name; Kubeflow: such as nvidia.com/gpu"
    )
    accelerator_count: int = Field(1, ge=1, description="how many of them")


class Schedule(_Section):
    """When runs start by themselves."""

    cron: str = Field(
        pattern=r"^(TZ=\S+ )?(\S+ ){4,5}\S+$", description="such as 'TZ=Europe/Zurich 0 3 * * 1'"
    )
    max_concurrent_runs: int = Field(1, ge=1, description="runs of it at the same time")


class RemoteConfig(_Section):
    """What every target on other machines needs."""

    image: str = Field(min_length=1, description="the image that kubeflow/Dockerfile makes")
    service_account: str | None = Field(None, description="as whom the nodes run")
    resources: dict[str, Resources] = Field(
        default_factory=dict, description="resources of single nodes, by their names"
    )
    schedule: Schedule | None = Field(None, description="submit a schedule rather than one run")


class TrainingConfig(_Section):
    """The worker pool that Vertex trains on: CPU, GPU or one TPU slice."""

    machine_type: str = Field("n1-standard-8", description="n1-standard-8, cloud-tpu, ct5lp-...")
    accelerator: Accelerator | None = Field(None, description="GPU, or TPU v2 or v3")
    accelerator_count: int | None = Field(None, ge=1, description="GPUs, or TPU cores")
    tpu_topology: str | None = Field(
        None, pattern=r"^\d+x\d+$", description="chips of a TPU v5e slice, such as 2x2"
    )
    replica_count: int = Field(1, ge=1, description="machines that train together; 1 with a TPU")
    image: str | None = Field(None, description="another image, such as Dockerfile.tpu's")
    spot: bool = Field(False, description="spot machines: cheaper, and taken away at any time")
    timeout_hours: float = Field(24.0, gt=0, le=168, description="the longest a training may take")


class EndpointConfig(_Section):
    """A Vertex endpoint that a blessed model is deployed to."""

    name: str = Field(min_length=1, max_length=128, description="display name; made when missing")
    machine_type: str = Field("n1-standard-2", description="what serves")
    min_replicas: int = Field(1, ge=1, description="machines at least")
    max_replicas: int = Field(1, ge=1, description="machines at most")
    traffic_percentage: int = Field(
        100,
        ge=0,
        le=100,
        description="traffic of the new model, older ones share the rest; 100 for the first one",
    )
    serving_image: str = Field(
        "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest",
        description="TensorFlow Serving as Vertex packs it",
    )


class VertexConfig(RemoteConfig):
    """Vertex AI Pipelines."""

    project: str = Field(min_length=1, description="the project's id")
    region: str = Field(pattern=r"^[a-z]+-[a-z]+\d+$", description="such as us-central1")
    network: str | None = Field(None, description="the peered network of the jobs")
    worker_image: str | None = Field(
        None, description="Dataflow's workers: the Dockerfile's target `worker`"
    )
    labels: dict[LabelText, LabelText] = Field(
        default_factory=dict, description="labels of runs, training jobs and Dataflow jobs"
    )
    training: TrainingConfig = Field(default_factory=lambda: TrainingConfig())
    endpoint: EndpointConfig | None = Field(
        None, description="deploy here; without one, models go to push.directory"
    )


class Volume(_Section):
    """A persistent volume claim that every node's container mounts."""

    claim: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", description="the claim's name")
    mount_path: str = Field(pattern=r"^/.+[^/]$", description="where it is mounted")


class KubeflowConfig(RemoteConfig):
    """A Kubeflow Pipelines installation of one's own, version 2."""

    host: str | None = Field(None, pattern=r"^https?://", description="its address, for submit")
    namespace: str | None = Field(None, description="for installations with several users")
    experiment: str = Field("higgs", min_length=1, description="what runs are listed under")
    volumes: tuple[Volume, ...] = Field((), description="volumes of data, models and artifacts")
    artifacts_volume: str | None = Field(
        None,
        description="mount path of the volume that keeps artifacts instead of the object store",
    )
