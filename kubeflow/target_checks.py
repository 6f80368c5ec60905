"""What a configuration must hold before it is compiled for a target.

Each rule gives the value, what the target demands, and what to write instead. They need no
TFX, so that a mistake is told at once.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from pipeline.cloud_config import KubeflowConfig, TrainingConfig, VertexConfig
from pipeline.config import BeamConfig, Config, ConfigError

# A run's id is the name, a dash and 14 digits.
VERTEX_NAME = re.compile(r"[a-z][a-z0-9-]{0,112}")

KUBEFLOW_SCHEMES = ("gs://", "s3://", "minio://")

TPU_CORES = 8
"""Cores of a v2 or v3 slice on one host."""

TPU_V5E_SLICES = {
    "ct5lp-hightpu-1t": "1x1",
    "ct5lp-hightpu-4t": "2x2",
    "ct5lp-hightpu-8t": "2x4",
}
"""TPU v5e machines and the one topology that each is, alone."""


def check_vertex(config: Config) -> VertexConfig:
    """The section ``vertex`` of a configuration that Vertex AI can run.

    Raises:
      ConfigError: it cannot; every reason is given.
    """
    section = config.vertex
    if section is None:
        raise ConfigError("vertex: missing; configs/vertex.yaml shows what it holds")
    _refuse([*_common_problems(config), *_vertex_problems(config, section)])
    return section


def check_kubeflow(config: Config) -> KubeflowConfig:
    """The section ``kubeflow`` of a configuration that Kubeflow Pipelines can run.

    Raises:
      ConfigError: it cannot; every reason is given.
    """
    section = config.kubeflow
    if section is None:
        raise ConfigError("kubeflow: missing; configs/kubeflow.yaml shows what it holds")
    _refuse([*_common_problems(config), *_kubeflow_problems(config, section)])
    return section


def beam_runners(beam: BeamConfig) -> set[str]:
    """The Beam runners that options name, for all nodes or for one; the last one wins."""
    return {_runner(args) for args in _option_lists(beam)}


def option_names(args: tuple[str, ...]) -> set[str]:
    """The options that are given, ``--name`` of ``--name=value``."""
    return {arg.partition("=")[0] for arg in args}


def _option_lists(beam: BeamConfig) -> list[tuple[str, ...]]:
    """The options of nodes that have none of their own, then those of each that has."""
    return [beam.args, *((*beam.args, *args) for args in beam.nodes.values())]


def _runner(args: tuple[str, ...]) -> str:
    runners = [arg.partition("=")[2] for arg in args if arg.startswith("--runner=")]
    return runners[-1] if runners else "DirectRunner"


def _refuse(problems: list[str]) -> None:
    if problems:
        raise ConfigError("\n".join(problems))


def _common_problems(config: Config) -> Iterator[str]:
    if config.ingestion.layout == "auto":
        yield (
            f"ingestion.layout: nobody can look at {config.data_root} before the run; "
            "say folders (training/ and validation/) or single"
        )


def _vertex_problems(config: Config, section: VertexConfig) -> Iterator[str]:
    if not VERTEX_NAME.fullmatch(config.name):
        yield (
            f"name: Vertex refuses {config.name!r}; a pipeline's name starts with a lower case "
            "letter and has at most 113 of [a-z0-9-]; rename it"
        )
    folders = {
        "root": config.root,
        "data_root": config.data_root,
        "trainer.checkpoints": config.checkpoint_root,
    }
    if section.endpoint is None:
        folders["push.directory"] = config.push_directory
    elif config.push.directory is not None:
        yield (
            f"push.directory: {config.push.directory} would get nothing, for vertex.endpoint "
            f"{section.endpoint.name!r} gets the model; remove one of the two"
        )
    for key, path in folders.items():
        if not path.startswith("gs://"):
            yield f"{key}: Vertex reads and writes Cloud Storage only, got {path}; give gs://BUCKET/..."
    if section.endpoint and section.endpoint.min_replicas > section.endpoint.max_replicas:
        yield (
            f"vertex.endpoint.min_replicas: {section.endpoint.min_replicas} is above max_replicas "
            f"{section.endpoint.max_replicas}; lower the one or raise the other"
        )
    if section.worker_image is None and any(
        _runner(args) == "DataflowRunner" and "--sdk_container_image" not in option_names(args)
        for args in _option_lists(config.beam)
    ):
        yield (
            f"vertex.worker_image: none, and Dataflow's workers cannot start from {section.image}, "
            "which has no Beam entry; give the image of the Dockerfile's target worker"
        )
    yield from _training_problems(section.training)


def _training_problems(training: TrainingConfig) -> Iterator[str]:
    key = "vertex.training"
    if training.machine_type in TPU_V5E_SLICES or training.tpu_topology is not None:
        yield from _tpu_v5e_problems(key, training)
        yield from _host_problems(key, training)
    elif (training.accelerator or "").startswith("TPU_") or training.machine_type == "cloud-tpu":
        yield from _tpu_problems(key, training)
        yield from _host_problems(key, training)
    elif (training.accelerator is None) != (training.accelerator_count is None):
        yield (
            f"{key}: accelerator {training.accelerator} and accelerator_count "
            f"{training.accelerator_count} go together; give both, or none for a CPU"
        )
    device = training.accelerator or training.tpu_topology
    if device is not None and training.image is None:
        yield (
            f"{key}.image: none, and the TensorFlow of vertex.image would leave {device} alone; "
            "give the image of the Dockerfile's target gpu, or that of Dockerfile.tpu"
        )


def _host_problems(key: str, training: TrainingConfig) -> Iterator[str]:
    if training.replica_count != 1:
        yield (
            f"{key}.replica_count: {training.replica_count} machines with a TPU; a TPU slice of "
            "one host has 1 replica; give 1, and a larger slice, or machines with GPUs"
        )


def _tpu_problems(key: str, training: TrainingConfig) -> Iterator[str]:
    if training.machine_type != "cloud-tpu" or not (training.accelerator or "").startswith("TPU_"):
        yield (
            f"{key}: a TPU v2 or v3 is machine_type cloud-tpu with accelerator TPU_V2 or TPU_V3, "
            f"got {training.machine_type} with {training.accelerator}"
        )
    if training.accelerator_count != TPU_CORES:
        yield (
            f"{key}.accelerator_count: {training.accelerator_count} TPU cores; a slice on one "
            f"host has {TPU_CORES}, and a slice of several hosts is not supported; "
            f"give {TPU_CORES}"
        )


def _tpu_v5e_problems(key: str, training: TrainingConfig) -> Iterator[str]:
    known = ", ".join(f"{machine} is {shape}" for machine, shape in TPU_V5E_SLICES.items())
    if TPU_V5E_SLICES.get(training.machine_type) != training.tpu_topology:
        yield (
            f"{key}.tpu_topology: {training.tpu_topology} on {training.machine_type}; TPU v5e "
            f"slices of one host: {known}"
        )
    if training.accelerator or training.accelerator_count:
        yield (
            f"{key}.accelerator: {training.accelerator} with {training.accelerator_count}; a TPU "
            "v5e is given by machine_type and tpu_topology alone; remove accelerator and its count"
        )


def _kubeflow_problems(config: Config, section: KubeflowConfig) -> Iterator[str]:
    if not config.root.startswith(KUBEFLOW_SCHEMES):
        yield (
            f"root: Kubeflow's launcher keeps artifacts in an object store, got {config.root}; "
            f"give one of {', '.join(KUBEFLOW_SCHEMES)}, and kubeflow.artifacts_volume to have "
            "the files themselves on a volume"
        )
    mounts = [volume.mount_path for volume in section.volumes]
    folders = {
        "data_root": config.data_root,
        "trainer.checkpoints": config.checkpoint_root,
        "push.directory": config.push_directory,
    }
    for key, path in folders.items():
        if not path.startswith("gs://") and not _is_under(path, mounts):
            yield (
                f"{key}: a node's container cannot reach {path}; give a path under one of "
                f"kubeflow.volumes ({', '.join(mounts) or 'none is given'}) or gs://BUCKET/..."
            )
    volume = section.artifacts_volume
    if volume is not None and volume not in mounts:
        yield (
            f"kubeflow.artifacts_volume: nothing is mounted at {volume}; give the mount_path of "
            f"one of kubeflow.volumes ({', '.join(mounts) or 'none is given'})"
        )
    elsewhere = sorted(beam_runners(config.beam) - {"DirectRunner"})
    if elsewhere and volume is None:
        yield (
            f"beam.args: the workers of {elsewhere[0]} do not see the folders of a node's "
            "container; give kubeflow.artifacts_volume, a volume that they mount as well"
        )


def _is_under(path: str, mounts: list[str]) -> bool:
    return any(PurePosixPath(path).is_relative_to(mount) for mount in mounts)
