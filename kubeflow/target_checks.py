"""Checks of a configuration before it is compiled for a target.

Every message names the value, what the target requires, and what to write instead. The checks
do not import TFX, so that a mistake is reported at once.
"""

import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any, TypeVar, get_args

from formats import names
from kubeflow.dataflow_options import DATAFLOW, beam_runners, dataflow_problems
from kubeflow.location_checks import root_problems, volume_problems
from pipeline.beam_options import DEFAULT_RUNNER
from pipeline.cloud_config import (
    Accelerator,
    EndpointConfig,
    KubeflowConfig,
    TrainingConfig,
    VertexConfig,
)
from pipeline.config import Config, ConfigError
from pipeline.paths import find_pattern

T = TypeVar("T")

# TFX makes the name a label, and labels have at most 63 characters.
PIPELINE_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")

CLOUD_STORAGE = re.compile(r"gs://[a-z0-9]([a-z0-9._-]*[a-z0-9])?([/?]|$)")
"""A path in Cloud Storage, whose buckets have lowercase names."""

# Vertex AI, Kubeflow's launcher and Argo replace {{...}}, also within the values of parameters;
# Kubernetes replaces $(NAME) and $$ in a container's arguments, which hold these values.
_REPLACED = re.compile(r"\{\{|\$\(|\$\$")

KUBEFLOW_SCHEMES = ("gs://", "s3://", "minio://")
"""Object stores that Kubeflow's launcher supports."""

GPU_MACHINES = {
    "NVIDIA_TESLA_P100": ("n1-",),
    "NVIDIA_TESLA_V100": ("n1-",),
    "NVIDIA_TESLA_P4": ("n1-",),
    "NVIDIA_TESLA_T4": ("n1-",),
    "NVIDIA_TESLA_A100": ("a2-highgpu-", "a2-megagpu-"),
    "NVIDIA_A100_80GB": ("a2-ultragpu-",),
    "NVIDIA_L4": ("g2-",),
    "NVIDIA_H100_80GB": ("a3-highgpu-", "a3-edgegpu-"),
    "NVIDIA_H100_MEGA_80GB": ("a3-megagpu-",),
    "NVIDIA_H200_141GB": ("a3-ultragpu-",),
}
"""Machine types of Compute Engine that can have each GPU."""

N1_CPUS = {
    "NVIDIA_TESLA_P100": {1: 16, 2: 32, 4: 96},
    "NVIDIA_TESLA_V100": {1: 12, 2: 24, 4: 48, 8: 96},
    "NVIDIA_TESLA_P4": {1: 24, 2: 48, 4: 96},
    "NVIDIA_TESLA_T4": {1: 48, 2: 48, 4: 96},
}
"""Maximum number of CPUs of an N1 machine by its number of GPUs."""

G2_COUNTS = {"g2-standard-24": 2, "g2-standard-48": 4, "g2-standard-96": 8}
"""Number of GPUs of the G2 machine types that have more than one."""

TPU_CORES = 8
"""Cores of a TPU v2 or v3 slice with one host."""

TPU_V5E_SLICES = {
    "ct5lp-hightpu-1t": "1x1",
    "ct5lp-hightpu-4t": "2x2",
    "ct5lp-hightpu-8t": "2x4",
}
"""TPU v5e machine types and the only topology of each with one host."""


def check_vertex(config: Config) -> VertexConfig:
    """The section ``vertex`` of a configuration that Vertex AI can run.

    Raises:
        ConfigError: Vertex AI cannot run it; the message lists every reason.
    """
    return _checked(config, "vertex", config.vertex, _vertex_problems)


def check_kubeflow(config: Config) -> KubeflowConfig:
    """The section ``kubeflow`` of a configuration that Kubeflow Pipelines can run.

    Raises:
        ConfigError: Kubeflow cannot run it; the message lists every reason.
    """
    return _checked(config, "kubeflow", config.kubeflow, _kubeflow_problems)


def _checked(
    config: Config, key: str, section: T | None, find: Callable[[Config, T], Iterator[str]]
) -> T:
    if section is None:
        raise ConfigError(f"{key}: missing; see configs/{key}.yaml for an example")
    if problems := [*_common_problems(config), *find(config, section)]:
        raise ConfigError("\n".join(problems))
    return section


def _common_problems(config: Config) -> Iterator[str]:
    if not PIPELINE_NAME.fullmatch(config.name):
        yield (
            f"name: {config.name!r} has {len(config.name)} characters; in the cloud, a pipeline's "
            "name starts with a lowercase letter and has at most 63 of [a-z0-9-]; rename it"
        )
    if config.ingestion.layout == "auto":
        yield (
            f"ingestion.layout: auto cannot look at {config.data_root} when the pipeline is "
            "compiled; give folders (training/ and validation/), folders-with-test or single"
        )
    for key, path in _shared_folders(config).items():
        if fault := find_pattern(path):
            yield f"{key}: {fault}"
    for key, text in _texts(config.model_dump(mode="json")):
        if found := _REPLACED.search(text):
            yield f"{key}: {text!r} has {found[0]!r}, which engines would replace; choose another"


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yields every text of nested values with its dotted key."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry, key)
    elif isinstance(value, dict):
        for name, entry in value.items():
            yield from _texts(entry, f"{key}.{name}".strip("."))


def _shared_folders(config: Config) -> dict[str, str]:
    """The folders that outlive a run, by their keys."""
    return {
        "data_root": config.data_root,
        "trainer.checkpoints": config.checkpoint_root,
        "push.directory": config.push_directory,
        **({"score.data_root": config.score.data_root} if config.score else {}),
    }


def _vertex_problems(config: Config, section: VertexConfig) -> Iterator[str]:
    folders = {"root": config.root, **_shared_folders(config)}
    yield from dataflow_problems(config, section)
    if section.endpoint is not None:
        del folders["push.directory"]
        yield from _endpoint_problems(config, section.endpoint)
        if section.encryption_key is not None:
            yield (
                "vertex.encryption_key: TFX's Pusher creates endpoints and models without a key; "
                "remove vertex.endpoint to push to a bucket that has the key"
            )
    for key, path in folders.items():
        if not CLOUD_STORAGE.match(path):
            yield f"{key}: Vertex AI uses Cloud Storage only, got {path}; give gs://BUCKET/..."
    if CLOUD_STORAGE.match(config.root):
        yield from root_problems(config.root)
    yield from _network_problems(section)
    yield from _resource_problems(section)
    yield from _training_problems(section.training)


def _network_problems(section: VertexConfig) -> Iterator[str]:
    if section.network and section.psc_network_attachment:
        yield (
            f"vertex.psc_network_attachment: {section.psc_network_attachment} with vertex.network "
            f"{section.network}; a job has one of the two; remove the other"
        )
    for key in ("encryption_key", "psc_network_attachment"):
        name = getattr(section, key) or ""
        place = re.search("/(?:locations|regions)/([^/]+)/", name)
        if place and place[1] != section.region:
            yield (
                f"vertex.{key}: {name} is in {place[1]}; jobs in vertex.region {section.region} "
                "can use only what is in the same region"
            )


def _resource_problems(section: VertexConfig) -> Iterator[str]:
    for node, resources in section.resources.items():
        if resources.accelerator not in (None, *get_args(Accelerator)):
            yield (
                f"vertex.resources.{node}.accelerator: {resources.accelerator} is not a type of "
                "Vertex AI; give one such as NVIDIA_TESLA_T4"
            )
        elif resources.accelerator and node == names.TRAINER:
            yield (
                f"vertex.resources.{node}.accelerator: {resources.accelerator} would be idle, "
                "because the node only waits for the training job; set vertex.training.accelerator"
            )


def _endpoint_problems(config: Config, endpoint: EndpointConfig) -> Iterator[str]:
    if config.push.directory is not None:
        yield (
            f"push.directory: {config.push.directory} would stay empty, because vertex.endpoint "
            f"{endpoint.name!r} gets the model; remove one of the two"
        )
    if endpoint.min_replicas > endpoint.max_replicas:
        yield (
            f"vertex.endpoint.min_replicas: {endpoint.min_replicas} is above max_replicas "
            f"{endpoint.max_replicas}; lower the former or raise the latter"
        )


def _training_problems(training: TrainingConfig) -> Iterator[str]:
    # Types of other generations begin with ct as well, and are refused.
    is_v5e = training.machine_type.startswith("ct") or training.tpu_topology is not None
    is_older_tpu = training.machine_type == "cloud-tpu" or training.has_tpu_accelerator
    if is_v5e:
        yield from _tpu_v5e_problems(training)
    elif is_older_tpu:
        yield from _tpu_problems(training)
    elif (training.accelerator is None) != (training.accelerator_count is None):
        yield (
            f"vertex.training: accelerator {training.accelerator} and accelerator_count "
            f"{training.accelerator_count} go together; give both, or neither for a CPU"
        )
    elif training.accelerator is not None:
        yield from _gpu_problems(training, training.accelerator)
    elif re.match("[ag][2-9]-", training.machine_type):
        yield (
            f"vertex.training.machine_type: {training.machine_type} is a machine with GPUs; give "
            "their accelerator and accelerator_count, or another machine type"
        )
    if (is_v5e or is_older_tpu) and training.replica_count != 1:
        yield (
            f"vertex.training.replica_count: {training.replica_count} machines with a TPU; a TPU "
            "slice with one host has 1 replica; give 1, or machines with GPUs"
        )
    device = training.accelerator or training.tpu_topology
    if device is not None and training.image is None:
        yield (
            f"vertex.training.image: missing, and the TensorFlow of vertex.image does not use "
            f"{device}; give the image of the Dockerfile's target gpu, or that of Dockerfile.tpu"
        )


def _gpu_problems(training: TrainingConfig, gpu: str) -> Iterator[str]:
    machine = training.machine_type
    if not machine.startswith(GPU_MACHINES[gpu]):
        yield (
            f"vertex.training.machine_type: {machine} has no {gpu}; "
            f"give a machine type {' or '.join(f'{name}...' for name in GPU_MACHINES[gpu])}"
        )
        return
    counts = _gpu_counts(machine, gpu)
    if training.accelerator_count not in counts:
        yield (
            f"vertex.training.accelerator_count: {training.accelerator_count} {gpu} on {machine}; "
            f"give {' or '.join(map(str, counts)) or 'a machine with fewer CPUs'}"
        )


def _gpu_counts(machine: str, gpu: str) -> list[int]:
    """The numbers of GPUs that a machine type can have."""
    size = re.search(r"-(\d+)", machine)
    number = int(size[1]) if size else 0
    if gpu in N1_CPUS:
        return [count for count, cpus in N1_CPUS[gpu].items() if number <= cpus]
    # Of a machine that is made with GPUs, 1 to all of them: acceleratorCount of MachineSpec.
    most = G2_COUNTS.get(machine, 1) if machine.startswith("g2-") else number
    return list(range(1, most + 1))


def _tpu_problems(training: TrainingConfig) -> Iterator[str]:
    if training.machine_type != "cloud-tpu" or not training.has_tpu_accelerator:
        yield (
            "vertex.training: a TPU v2 or v3 is machine_type cloud-tpu with accelerator TPU_V2 or "
            f"TPU_V3, got {training.machine_type} with {training.accelerator}"
        )
    if training.accelerator_count != TPU_CORES:
        yield (
            f"vertex.training.accelerator_count: {training.accelerator_count} TPU cores; a slice "
            f"with one host has {TPU_CORES}, and Vertex AI starts no TensorFlow server on further "
            f"hosts; give {TPU_CORES}, or train on a slice of your own (docs/cloud.md)"
        )


def _tpu_v5e_problems(training: TrainingConfig) -> Iterator[str]:
    if TPU_V5E_SLICES.get(training.machine_type, "") != training.tpu_topology:
        slices = ", ".join(f"{machine} is {shape}" for machine, shape in TPU_V5E_SLICES.items())
        yield (
            f"vertex.training.tpu_topology: {training.tpu_topology} on {training.machine_type}; "
            f"TPU v5e slices with one host: {slices}; for several hosts see docs/cloud.md"
        )
    if training.accelerator or training.accelerator_count:
        yield (
            f"vertex.training.accelerator: {training.accelerator} with "
            f"{training.accelerator_count}; a TPU v5e is specified by machine_type and "
            "tpu_topology alone; remove accelerator and accelerator_count"
        )


def _kubeflow_problems(config: Config, section: KubeflowConfig) -> Iterator[str]:
    if section.schedule and section.schedule.times.zone:
        yield (
            f"kubeflow.schedule.cron: {section.schedule.cron!r} has a time zone, which Kubeflow "
            "does not accept; give the times in the zone of its controller, normally UTC"
        )
    if not config.root.startswith(KUBEFLOW_SCHEMES):
        yield (
            f"root: Kubeflow's launcher keeps artifacts in an object store, got {config.root}; "
            f"give one of {', '.join(KUBEFLOW_SCHEMES)}, and kubeflow.artifacts_volume to keep "
            "the files themselves on a volume"
        )
    else:
        yield from root_problems(config.root)
    yield from volume_problems(section)
    mounts = [volume.mount_path for volume in section.volumes]
    listed_mounts = ", ".join(mounts) or "none is given"
    for key, path in _shared_folders(config).items():
        if not CLOUD_STORAGE.match(path) and not _is_under(path, mounts):
            yield (
                f"{key}: a node's container cannot reach {path}; give a path under one of "
                f"kubeflow.volumes ({listed_mounts}) or gs://BUCKET/..."
            )
    volume = section.artifacts_volume
    if volume is not None and volume not in mounts:
        yield (
            f"kubeflow.artifacts_volume: nothing is mounted at {volume}; give the mount_path of "
            f"one of kubeflow.volumes ({listed_mounts})"
        )
    remote_runners = sorted(beam_runners(config.beam) - {DEFAULT_RUNNER})
    if DATAFLOW in remote_runners:
        yield (
            f"beam.args: --runner={DATAFLOW}: its workers cannot mount the cluster's volumes; use "
            "Flink or Spark in the cluster, or Vertex AI"
        )
    elif remote_runners and volume is None:
        yield (
            f"beam.args: the workers of {remote_runners[0]} cannot see the folders of a node's "
            "container; give kubeflow.artifacts_volume, a volume that they mount as well"
        )


def _is_under(path: str, mounts: list[str]) -> bool:
    # What is written beside the mounts, such as to /mnt/models/../x, is lost with the container.
    place = PurePosixPath(posixpath.normpath(path))
    return any(place.is_relative_to(mount) for mount in mounts)
