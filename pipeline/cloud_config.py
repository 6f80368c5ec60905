"""The sections ``vertex`` and ``kubeflow`` of the configuration.

Rules for single keys are here; ``kubeflow.target_checks`` has those that combine several keys.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pipeline.cron_schedule import CronSchedule, parse_cron

# Names of the API's enumeration for which Vertex AI has machines and TensorFlow 2.16 has code.
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
    "TPU_V2",
    "TPU_V3",
]

# Google's requirements for labels; letters without upper and lower case are allowed.
LabelKey = Annotated[str, Field(pattern=r"^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$")]
LabelText = Annotated[str, Field(pattern=r"^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$")]

MAX_LABELS = 58
"""Google's limit of 64, minus the labels that TFX and the services add."""


def _form(pattern: str, what: str) -> AfterValidator:
    """Accepts values that match a pattern; the message for others says what is expected."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(f"{text!r} is not {what}")
        return text

    return AfterValidator(check)


# The grammar of github.com/distribution/reference.
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
Image = Annotated[
    str,
    _form(
        rf"(?:[a-zA-Z0-9.-]+(?::\d+)?/)?{_PART}(?:/{_PART})*"
        r"(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
        "the name of an image, REGISTRY/NAME:TAG, with a NAME in lowercase",
    ),
]
Project = Annotated[
    str,
    _form(
        r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]|[1-9][0-9]*",
        "the id of a project (6 to 30 of [a-z0-9-]) or its number, not its name",
    ),
]
GoogleAccount = Annotated[
    str,
    _form(
        r"[^@\s]+@[^@\s]+\.gserviceaccount\.com",
        "a service account, such as NAME@PROJECT.iam.gserviceaccount.com",
    ),
]
Network = Annotated[
    str,
    _form(
        r"projects/\d+/global/networks/[^/\s]+",
        "a network, projects/PROJECT_NUMBER/global/networks/NAME",
    ),
]
NetworkAttachment = Annotated[
    str,
    _form(
        r"(projects/[^/\s]+/regions/[^/\s]+/networkAttachments/)?[a-z][a-z0-9-]*",
        "a network attachment, projects/PROJECT/regions/REGION/networkAttachments/NAME",
    ),
]
# TFX finds an endpoint by a filter, which has the name in quotation marks.
EndpointName = Annotated[
    str, _form(r"[^\"\\]{1,128}", "1 to 128 characters without quotation marks and backslashes")
]
# Fits the regions that exist. Google adds numbers and directions, and rarely a continent.
Region = Annotated[
    str,
    _form(
        r"(africa|asia|australia|europe|me|northamerica|southamerica|us)-"
        r"(central|north|south|(north|south)?(east|west))\d{1,2}",
        "a region of Google Cloud, such as us-central1 or europe-west4",
    ),
]
MachineType = Annotated[
    str, _form(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", "a machine type, such as n1-standard-8")
]
KubernetesName = Annotated[
    str,
    _form(
        r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        "a name in Kubernetes: at most 63 of [a-z0-9-], the first and the last of [a-z0-9]",
    ),
]
ServiceAccount = Annotated[
    str,
    _form(
        r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?",
        "a name in Kubernetes: at most 253 of [a-z0-9.-], the first and the last of [a-z0-9]",
    ),
]


class Section(BaseModel):
    """A section of the configuration: frozen, without unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        coerce_numbers_to_str=True,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_as_number(cls, value: Any, info: ValidationInfo) -> Any:
        # Pydantic would read true as 1: `auc_max_drop: true` would accept any model.
        annotation = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and annotation in (int, float, int | None, float | None):
            raise ValueError("must be a number, not true or false")
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _not_blank(cls, value: Any) -> Any:
        if isinstance(value, str) and value.isspace():
            raise ValueError("must not consist of blanks only")
        return value


class Resources(Section):
    """Resources of one node's container."""

    cpu: float | None = Field(None, gt=0)
    """Number of CPU cores."""
    # The driver of Kubeflow cannot read much smaller numbers: it writes them with an exponent.
    memory_gb: float | None = Field(None, ge=0.1)
    """Memory in GB."""
    accelerator: str | None = None
    """Vertex: an accelerator type; Kubeflow: a resource such as nvidia.com/gpu."""
    accelerator_count: int = Field(1, ge=1)
    """Number of accelerators."""

    @model_validator(mode="after")
    def _check_accelerator(self) -> "Resources":
        if self.accelerator is None and self.accelerator_count != 1:
            raise ValueError(f"accelerator_count {self.accelerator_count} needs an accelerator")
        return self


class Schedule(Section):
    """Schedule of recurring runs."""

    cron: str
    """Cron expression of five fields, such as '0 3 * * 1'; for Vertex, 'TZ=Europe/Zurich ' may
    precede it."""
    max_concurrent_runs: int = Field(1, ge=1, le=10)
    """Maximum number of concurrent runs."""

    @field_validator("cron")
    @classmethod
    def _check_cron(cls, text: str) -> str:
        parse_cron(text)
        return text

    @property
    def times(self) -> CronSchedule:
        """The parsed cron expression."""
        return parse_cron(self.cron)


class RemoteConfig(Section):
    """Settings that both cloud targets have."""

    image: Image
    """Image built from kubeflow/Dockerfile."""
    service_account: str | None = None
    """Service account of the nodes."""
    resources: dict[str, Resources] = Field(default_factory=dict)
    """Resources of single nodes, by node id."""
    schedule: Schedule | None = None
    """Submit a schedule instead of one run."""
    retries: int = Field(0, ge=0, le=10)
    """Number of retries of a failed node; CollisionExampleGen, DataGate, Scorer and PushGate, which
    decide, are not repeated."""


class TrainingConfig(Section):
    """The machines of the Vertex training job: CPU, GPU or one TPU slice."""

    machine_type: MachineType = "n1-standard-8"
    """n1-standard-8, cloud-tpu, ct5lp-..."""
    accelerator: Accelerator | None = None
    """GPU type, TPU_V2 or TPU_V3."""
    accelerator_count: int | None = Field(None, ge=1)
    """Number of GPUs or of TPU cores."""
    tpu_topology: str | None = Field(None, pattern=r"^\d+x\d+$")
    """Topology of a TPU v5e slice, such as 2x2."""
    replica_count: int = Field(1, ge=1)
    """Number of machines; 1 with a TPU."""
    image: Image | None = None
    """Image of the Trainer, for GPUs or TPUs."""
    spot: bool = False
    """Cheaper spot machines, which may be preempted."""
    timeout_hours: float = Field(24.0, gt=0, le=168)
    """Maximum training time in hours."""

    @property
    def has_tpu_accelerator(self) -> bool:
        """Whether ``accelerator`` is a TPU v2 or v3."""
        return self.accelerator is not None and self.accelerator.startswith("TPU_")


class EndpointConfig(Section):
    """Vertex endpoint to which blessed models are deployed."""

    name: EndpointName
    """Display name; created if missing."""
    machine_type: MachineType = "n1-standard-2"
    """Machine type of the servers."""
    min_replicas: int = Field(1, ge=1)
    """Minimum number of machines."""
    max_replicas: int = Field(1, ge=1)
    """Maximum number of machines."""
    traffic_percentage: int = Field(100, ge=0, le=100)
    """Percentage of the traffic for the new model; older models share the rest; the first model
    needs 100."""
    serving_image: Image = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
    """Vertex AI's prebuilt TensorFlow image."""


class VertexConfig(RemoteConfig):
    """Settings of Vertex AI Pipelines."""

    project: Project
    """Project id, or number without Dataflow."""
    region: Region
    """Region, such as us-central1."""
    service_account: GoogleAccount | None = None
    """Service account of the nodes."""
    network: Network | None = None
    """Peered network, projects/PROJECT_NUMBER/global/networks/NAME."""
    reserved_ip_ranges: tuple[str, ...] = ()
    """Names of the ranges of the peered network that the jobs use."""
    psc_network_attachment: NetworkAttachment | None = None
    """Network attachment for Private Service Connect, instead of network."""
    encryption_key: str | None = Field(
        None, pattern=r"^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$"
    )
    """Cloud KMS key of runs, training jobs and Dataflow jobs."""
    worker_image: Image | None = None
    """Image of Dataflow's workers: the Dockerfile's target `worker`."""
    labels: dict[LabelKey, LabelText] = Field(default_factory=dict, max_length=MAX_LABELS)
    """Labels of runs, training jobs and Dataflow jobs."""
    training: TrainingConfig = Field(default_factory=lambda: TrainingConfig())
    """Machines of the training job."""
    endpoint: EndpointConfig | None = None
    """Endpoint to deploy to; without one, models are pushed to push.directory."""


class Volume(Section):
    """Persistent volume claim that every container mounts."""

    # The pod's volume is named after the claim, and a volume's name has no dots.
    claim: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    """Name of the claim, no dots."""
    mount_path: str = Field(pattern=r"^(/[^/]+)+$")
    """Mount path in the containers."""


class KubeflowConfig(RemoteConfig):
    """Settings of a Kubeflow Pipelines 2 installation."""

    host: str | None = Field(None, pattern=r"^https?://")
    """Address, for `higgs submit`."""
    service_account: ServiceAccount | None = None
    """Service account of the nodes."""
    namespace: KubernetesName | None = None
    """Namespace of a multi-user installation."""
    experiment: str = Field("higgs", min_length=1, max_length=128)
    """Experiment that groups the runs."""
    volumes: tuple[Volume, ...] = ()
    """Volumes for data, models and artifacts."""
    artifacts_volume: str | None = None
    """Mount path of the volume that keeps artifacts instead of the object store."""
