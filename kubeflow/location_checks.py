"""Checks of roots and mounts that engines would read differently from the configuration."""

import re
from collections.abc import Iterator

from pipeline.cloud_config import KubeflowConfig

# ParseBucketConfig and bucketURL in backend/src/v2/objectstore/config.go, releases 2.0 to 2.17: the
# launcher puts the key into a URL without quoting it.
_ROOT = re.compile(r"(?P<scheme>\w+)://[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(/[\w.~=@,:!()-]+)*")

# A qualified name in Kubernetes, with a domain.
_DEVICE = re.compile(
    r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
)

LAUNCHER_MOUNTS = ("/gcs", "/s3", "/minio", "/kfp-launcher", "/kfp-workspace")
"""Folders on which the pods mount their own volumes.

``addContainerExecutorTemplate`` in backend/src/v2/compiler/argocompiler/container.go, 2.17.0.
"""


def root_problems(root: str) -> Iterator[str]:
    """Why an engine would not find the artifacts below a root, one message per reason."""
    folder, mark, query = root.partition("?")
    match = _ROOT.fullmatch(folder.rstrip("/"))
    if match is None:
        yield (
            f"root: {root!r} is not SCHEME://BUCKET/FOLDER/... of letters, digits and _-.~=@,:!(); "
            "engines read others differently; rename it"
        )
    elif mark and (match["scheme"] not in ("s3", "minio") or not re.fullmatch(r"[!-~]+", query)):
        yield (
            f"root: {root!r} has the query {query!r}; only s3:// and minio:// have one, such as "
            "?region=eu-west-1; remove it"
        )


def volume_problems(section: KubeflowConfig) -> Iterator[str]:
    """Why a pod with these volumes and resources would be rejected, one message per reason."""
    mounts = [volume.mount_path for volume in section.volumes]
    for mount in sorted({mount for mount in mounts if mounts.count(mount) > 1}):
        yield f"kubeflow.volumes: two claims are mounted at {mount}; mount each at its own path"
    for mount in mounts:
        if mount in LAUNCHER_MOUNTS or ":" in mount:
            yield (
                f"kubeflow.volumes: {mount} is a folder of Kubeflow's own or has a colon; mount "
                "the claim at another path, such as /mnt/data"
            )
    for node, resources in section.resources.items():
        if resources.accelerator and not _DEVICE.fullmatch(resources.accelerator):
            yield (
                f"kubeflow.resources.{node}.accelerator: {resources.accelerator} is not a resource "
                "of Kubernetes, DOMAIN/NAME; give one such as nvidia.com/gpu"
            )
