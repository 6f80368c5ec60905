"""Settings of the jobs and endpoints that TFX's Vertex Trainer and Pusher create."""

from typing import Any

from tfx.extensions.google_cloud_ai_platform import constants
from tfx.extensions.google_cloud_ai_platform.trainer.executor import TRAINING_ARGS_KEY

from pipeline.cloud_config import EndpointConfig, TrainingConfig, VertexConfig
from pipeline.config import Config


def training_settings(config: Config, vertex: VertexConfig) -> dict[str, Any]:
    """The Trainer's ``custom_config`` for a custom job on the machines of ``vertex.training``."""
    job_spec = {
        "worker_pool_specs": _worker_pools(vertex.training, vertex.image),
        "scheduling": _scheduling(vertex.training),
        "service_account": vertex.service_account,
        "network": vertex.network,
        "reserved_ip_ranges": list(vertex.reserved_ip_ranges) or None,
    }
    if vertex.psc_network_attachment:
        job_spec["psc_interface_config"] = {"network_attachment": vertex.psc_network_attachment}
    job = {
        "project": vertex.project,
        "display_name": f"{config.name}-trainer",
        "labels": dict(vertex.labels),
        "job_spec": _without_missing(job_spec),
    }
    if vertex.encryption_key:
        job["encryption_spec"] = {"kms_key_name": vertex.encryption_key}
    return {**_region_settings(vertex), TRAINING_ARGS_KEY: job}


def serving_settings(vertex: VertexConfig, endpoint: EndpointConfig) -> dict[str, Any]:
    """The Pusher's ``custom_config`` for a deployment to ``endpoint``."""
    serving_args = {
        "project_id": vertex.project,
        "endpoint_name": endpoint.name,
        "machine_type": endpoint.machine_type,
        "min_replica_count": endpoint.min_replicas,
        "max_replica_count": endpoint.max_replicas,
        "traffic_percentage": endpoint.traffic_percentage,
        "labels": dict(vertex.labels),
        "service_account": vertex.service_account,
    }
    return {
        **_region_settings(vertex),
        constants.VERTEX_CONTAINER_IMAGE_URI_KEY: endpoint.serving_image,
        constants.SERVING_ARGS_KEY: _without_missing(serving_args),
    }


def _region_settings(vertex: VertexConfig) -> dict[str, Any]:
    return {
        constants.ENABLE_VERTEX_KEY: True,
        constants.VERTEX_REGION_KEY: vertex.region,
    }


def _worker_pools(training: TrainingConfig, image: str) -> list[dict[str, Any]]:
    """The chief, then all other machines: Vertex names both to each in ``TF_CONFIG``."""
    pool_sizes = (1, training.replica_count - 1)
    return [_worker_pool(training, image, size) for size in pool_sizes if size]


def _worker_pool(training: TrainingConfig, image: str, size: int) -> dict[str, Any]:
    machine = {
        "machine_type": training.machine_type,
        "tpu_topology": training.tpu_topology,
        "accelerator_type": training.accelerator,
        "accelerator_count": training.accelerator_count,
    }
    return {
        "machine_spec": _without_missing(machine),
        "replica_count": size,
        # TFX adds the command that runs the executor.
        "container_spec": {"image_uri": training.image or image},
    }


def _scheduling(training: TrainingConfig) -> dict[str, Any]:
    return {
        "strategy": "SPOT" if training.spot else "STANDARD",
        "timeout": {"seconds": round(training.timeout_hours * 3600)},
        # An interrupted training resumes at its last checkpoint.
        "restart_job_on_worker_restart": training.spot,
    }


def _without_missing(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if value is not None}
