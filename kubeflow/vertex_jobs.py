"""What TFX's Vertex Trainer and Pusher are told of the jobs and endpoints they make."""

from typing import Any

from tfx.extensions.google_cloud_ai_platform import constants
from tfx.extensions.google_cloud_ai_platform.trainer.executor import TRAINING_ARGS_KEY

from pipeline.cloud_config import EndpointConfig, TrainingConfig, VertexConfig
from pipeline.config import Config


def training_settings(config: Config, vertex: VertexConfig) -> dict[str, Any]:
    """The Trainer's ``custom_config`` for a custom job on the machines of ``training``."""
    job_spec: dict[str, Any] = {
        "worker_pool_specs": _worker_pools(vertex.training, vertex.image),
        "scheduling": _scheduling(vertex.training),
    }
    if vertex.service_account:
        job_spec["service_account"] = vertex.service_account
    if vertex.network:
        job_spec["network"] = vertex.network
    return {
        **_vertex(vertex),
        TRAINING_ARGS_KEY: {
            "project": vertex.project,
            "display_name": f"{config.name}-trainer",
            "labels": dict(vertex.labels),
            "job_spec": job_spec,
        },
    }


def serving_settings(vertex: VertexConfig, endpoint: EndpointConfig) -> dict[str, Any]:
    """The Pusher's ``custom_config`` for a deployment to ``endpoint``."""
    serving: dict[str, Any] = {
        "project_id": vertex.project,
        "endpoint_name": endpoint.name,
        "machine_type": endpoint.machine_type,
        "min_replica_count": endpoint.min_replicas,
        "max_replica_count": endpoint.max_replicas,
        "traffic_percentage": endpoint.traffic_percentage,
        "labels": dict(vertex.labels),
    }
    if vertex.service_account:
        serving["service_account"] = vertex.service_account
    return {
        **_vertex(vertex),
        constants.VERTEX_CONTAINER_IMAGE_URI_KEY: endpoint.serving_image,
        constants.SERVING_ARGS_KEY: serving,
    }


def _vertex(vertex: VertexConfig) -> dict[str, Any]:
    return {
        constants.ENABLE_VERTEX_KEY: True,
        constants.VERTEX_REGION_KEY: vertex.region,
    }


def _worker_pools(training: TrainingConfig, image: str) -> list[dict[str, Any]]:
    """The chief alone, then all other machines: Vertex names both to each in ``TF_CONFIG``."""
    others = training.replica_count - 1
    return [_worker_pool(training, image, count) for count in ((1, others) if others else (1,))]


def _worker_pool(training: TrainingConfig, image: str, count: int) -> dict[str, Any]:
    machine: dict[str, Any] = {"machine_type": training.machine_type}
    if training.tpu_topology:
        machine["tpu_topology"] = training.tpu_topology
    if training.accelerator:
        machine["accelerator_type"] = training.accelerator
        machine["accelerator_count"] = training.accelerator_count
    return {
        "machine_spec": machine,
        "replica_count": count,
        # TFX puts the command there that runs the executor.
        "container_spec": {"image_uri": training.image or image},
    }


def _scheduling(training: TrainingConfig) -> dict[str, Any]:
    return {
        "strategy": "SPOT" if training.spot else "STANDARD",
        "timeout": {"seconds": round(training.timeout_hours * 3600)},
        # A training that was interrupted goes on after its last finished epoch.
        "restart_job_on_worker_restart": training.spot,
    }
