"""How to train on what there is: TPU, several hosts, several GPUs, or one device."""

import logging
import os
from dataclasses import dataclass

import tensorflow as tf

log = logging.getLogger("higgs.trainer")


class TPUUnavailableError(RuntimeError):
    """A TPU was named or seen but could not be initialised."""


@dataclass(frozen=True)
class Hardware:
    """What a training runs on.

    Attributes:
      kind: ``tpu``, ``gpu`` or ``cpu``.
      replicas: copies of the network that train in step, on all hosts.
      devices: the logical devices' names on this host, one a replica.
      hosts: processes that train together, one a host.
      host: which of them this is; the first, 0, writes what all have learned.
    """

    kind: str
    replicas: int
    devices: tuple[str, ...]
    hosts: int = 1
    host: int = 0


def find_strategy(tpu: str | None = None) -> tuple[tf.distribute.Strategy, Hardware]:
    """Finds the strategy for the best devices at hand: TPU, then GPUs, then the CPU.

    Several hosts, each of which runs this with a ``TF_CONFIG`` that names them all, train together.
    To be called before anything of TensorFlow runs, which would settle what it runs on.

    Args:
      tpu: a TPU's name or address; without one the environment's ``TPU_NAME``, or
        ``local`` where the machine itself has a TPU.

    Raises:
      TPUUnavailableError: there should be a TPU, and it cannot be initialised.
    """
    tpu = tpu or os.environ.get("TPU_NAME") or _local_tpu()
    gpus = tf.config.get_visible_devices("GPU")
    hosts, host = (1, 0) if tpu else _place_among_hosts()
    if tpu:
        kind, strategy = "TPU", _tpu_strategy(tpu)
    elif hosts > 1:
        kind = "GPU" if gpus else "CPU"
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    elif len(gpus) > 1:
        kind, strategy = "GPU", tf.distribute.MirroredStrategy()
    else:
        kind, strategy = "GPU" if gpus else "CPU", tf.distribute.get_strategy()
    replicas = strategy.num_replicas_in_sync
    here = replicas // hosts
    devices = tuple(device.name for device in tf.config.list_logical_devices(kind)[:here])
    where = f" on host {host} of {hosts}" if hosts > 1 else ""
    log.info("training on %d %s%s: %s", replicas, kind, where, ", ".join(devices))
    return strategy, Hardware(kind.lower(), replicas, devices, hosts, host)


def _place_among_hosts() -> tuple[int, int]:
    """How many hosts ``TF_CONFIG`` names, and which one this is; the chief is the first."""
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    jobs = resolver.cluster_spec().as_dict()
    chiefs, workers = (len(jobs.get(job, ())) for job in ("chief", "worker"))
    if chiefs + workers < 2:
        return 1, 0
    before = chiefs if resolver.task_type == "worker" else 0
    return chiefs + workers, before + int(resolver.task_id)


def _local_tpu() -> str | None:
    return "local" if tf.config.list_physical_devices("TPU") else None


def _tpu_strategy(name: str) -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise TPUUnavailableError(
            f"TPU {name!r} cannot be initialised ({error}): "
            "check TPU_NAME, or unset it to train on this machine's own devices"
        ) from error
    return tf.distribute.TPUStrategy(resolver)
