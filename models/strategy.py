"""How to train on what the machine has: TPU, several GPUs, or one device."""

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
      replicas: copies of the network that train in step.
      devices: the logical devices' names, one a replica.
    """

    kind: str
    replicas: int
    devices: tuple[str, ...]


def find_strategy(tpu: str | None = None) -> tuple[tf.distribute.Strategy, Hardware]:
    """Finds the strategy for the best devices at hand: TPU, then GPUs, then the CPU.

    Args:
      tpu: a TPU's name or address; without one the environment's ``TPU_NAME``, or
        ``local`` where the machine itself has a TPU.

    Raises:
      TPUUnavailableError: there should be a TPU, and it cannot be initialised.
    """
    tpu = tpu or os.environ.get("TPU_NAME") or _local_tpu()
    gpus = tf.config.get_visible_devices("GPU")
    if tpu:
        kind, strategy = "TPU", _tpu_strategy(tpu)
    elif len(gpus) > 1:
        kind, strategy = "GPU", tf.distribute.MirroredStrategy()
    else:
        kind, strategy = "GPU" if gpus else "CPU", tf.distribute.get_strategy()
    replicas = strategy.num_replicas_in_sync
    devices = tuple(device.name for device in tf.config.list_logical_devices(kind)[:replicas])
    log.info("training on %d %s: %s", replicas, kind, ", ".join(devices))
    return strategy, Hardware(kind.lower(), replicas, devices)


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
