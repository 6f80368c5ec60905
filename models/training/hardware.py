"""The machine of a training: devices, the strategy for them, and their mixed precision policy."""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import tensorflow as tf

from formats.cluster import parse_address, read_cluster
from formats.errors import one_line
from formats.training_record import StrategyRecord
from models.training.rendezvous import meet_hosts, wait_for

log = logging.getLogger("higgs.trainer")

POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}
"""Keras' mixed precision policy by value of the hyperparameter ``precision``."""

CPU_INFO = Path("/proc/cpuinfo")

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")
"""The control groups, and the list of those that this process is in."""

MEMORY_SHARE = 4
"""Without a limit, training events may use the machine's memory divided by this."""

TIMEOUT = 600.0
"""Seconds to wait for other hosts."""


class TPUUnavailableError(RuntimeError):
    """A TPU was named or detected but could not be initialized."""


class AcceleratorMissingError(RuntimeError):
    """TensorFlow sees fewer accelerators than were requested."""


@dataclass(frozen=True)
class Machine:
    """The devices that a training runs on.

    Attributes:
        strategy: TensorFlow's strategy for the devices of all hosts.
        hardware: kind and number of the devices, and the index of this host.
        first_host: TensorFlow's name of the first host if this process drives the servers of a TPU;
            None if it holds its devices itself.
    """

    strategy: tf.distribute.Strategy
    hardware: StrategyRecord
    first_host: str | None = None

    @property
    def own_hosts(self) -> Sequence[int]:
        """The hosts whose events this process reads, or writes to files for them."""
        return range(self.hardware.hosts) if self.first_host else [self.hardware.host]


def find_machine(
    required: str | None = None, required_count: int = 1, timeout: float = TIMEOUT
) -> Machine:
    """Finds the best devices available: a TPU, else GPUs, else the CPU.

    The environment variable ``TPU_NAME`` names a TPU, or gives its address.

    Several hosts train together if each of them calls this with a ``TF_CONFIG`` that names all of
    them. A TPU slice of several hosts is driven by one process, through the TensorFlow server of
    each host. Must be called before any TensorFlow operation, which would fix the devices.

    Args:
        required: ``gpu`` or ``tpu`` if such devices were requested; None for any device.
        required_count: number of requested GPUs per host, or of devices of the TPU.
        timeout: time to wait for the other hosts, or for a TPU's, in seconds.

    Raises:
        ClusterConfigError: ``TF_CONFIG`` does not describe a cluster.
        HostUnreachableError: another host did not answer in time.
        TPUUnavailableError: a TPU is expected but cannot be initialized.
        AcceleratorMissingError: there are fewer devices of the required kind.
    """
    tpu = os.environ.get("TPU_NAME") or _local_tpu()
    gpus = tf.config.get_visible_devices("GPU")
    cluster = None if tpu else read_cluster(os.environ)
    first_host = None
    if tpu:
        kind, (strategy, first_host) = "TPU", _tpu_strategy(tpu, timeout)
    elif cluster:
        meet_hosts(cluster, timeout)
        kind = "GPU" if gpus else "CPU"
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    elif len(gpus) > 1:
        kind, strategy = "GPU", tf.distribute.MirroredStrategy()
    else:
        kind, strategy = "GPU" if gpus else "CPU", tf.distribute.get_strategy()
    processes, host = (len(cluster.hosts), cluster.position) if cluster else (1, 0)
    hosts = strategy.extended.num_hosts if tpu else processes
    replicas = strategy.num_replicas_in_sync
    devices = tf.config.list_logical_devices(kind)[: replicas // processes]
    if required and (kind.lower() != required or len(devices) < required_count):
        visible = ", ".join(device.name for device in tf.config.list_logical_devices())
        raise AcceleratorMissingError(
            f"{required_count} {required.upper()} requested, but TensorFlow sees only {visible}; "
            "check that the machine has as many, that the image has TensorFlow for them, and that "
            "the driver's libraries are on "
            f"LD_LIBRARY_PATH ({os.environ.get('LD_LIBRARY_PATH') or 'not set'})"
        )
    hardware = StrategyRecord(
        kind=kind.lower(),
        replicas=replicas,
        devices=tuple(device.name for device in devices),
        hosts=hosts,
        host=host,
    )
    suffix = f" on host {host} of {hosts}" if cluster else f" on {hosts} hosts" if hosts > 1 else ""
    log.info("training on %d %s%s: %s", replicas, kind, suffix, ", ".join(hardware.devices))
    return Machine(strategy, hardware, first_host)


def _local_tpu() -> str | None:
    return "local" if tf.config.list_physical_devices("TPU") else None


def _tpu_strategy(name: str, timeout: float) -> tuple[tf.distribute.Strategy, str | None]:
    """Returns the strategy, and the first host of a TPU that TensorFlow's servers hold."""
    hosts = os.environ.get("TPU_WORKER_HOSTNAMES", "").split(",")
    if name == "local" and len(hosts) > 1:
        addresses = ",".join(f"grpc://{host}:8470" for host in hosts)
        raise TPUUnavailableError(
            f"this machine is one of the {len(hosts)} hosts of a TPU slice (TPU_WORKER_HOSTNAMES), "
            "and one process drives them all: run TensorFlow's server on every host, and the "
            f"training on one, with TPU_LOAD_LIBRARY=0 and TPU_NAME={addresses}; see docs/cloud.md"
        )
    try:
        _wait_for_tpu(name, timeout)
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name)
        # Otherwise everything would run on the TPU's first host, the export included.
        tf.config.experimental_connect_to_cluster(resolver, make_master_device_default=False)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except Exception as error:  # from Google's clients, from urllib, or from TensorFlow
        reason = one_line(error) or type(error).__name__
        raise TPUUnavailableError(
            f"TPU {name!r} cannot be initialized ({reason}): "
            "check TPU_NAME, or unset it to train on this machine's own devices"
        ) from error
    strategy = tf.distribute.TPUStrategy(resolver)
    is_own = not resolver.master()
    return strategy, None if is_own else f"/job:{resolver.get_job_name()}/replica:0/task:0"


def _wait_for_tpu(name: str, timeout: float) -> None:
    """Waits for the hosts of a TPU that is given by address; TensorFlow would wait forever."""
    scheme, _, addresses = name.rpartition("://")
    if scheme not in ("", "grpc") or (not scheme and ":" not in name):
        return  # the TPU's name, from which TensorFlow finds the address
    hosts = [
        parse_address(address, "TPU host", index)
        for index, address in enumerate(addresses.split(","))
    ]
    wait_for(hosts, timeout, "check TPU_NAME")


def choose_policy(precision: str, hardware: StrategyRecord) -> str:
    """Chooses Keras' mixed precision policy of the deep blocks; everything else is float32.

    Args:
        precision: ``float32``, ``bfloat16``, ``float16``, or ``auto``: bfloat16 on TPUs and on
            CPUs with instructions for it, float16 on GPUs, float32 otherwise.
        hardware: the devices of the training.
    """
    if precision != "auto":
        return POLICIES[precision]
    if hardware.kind == "gpu":
        return POLICIES["float16"]
    if hardware.kind == "tpu" or cpu_multiplies_bfloat16():
        return POLICIES["bfloat16"]
    return POLICIES["float32"]


def cpu_multiplies_bfloat16() -> bool:
    """Returns whether this machine's CPU has AVX512_BF16."""
    return CPU_INFO.exists() and "avx512_bf16" in CPU_INFO.read_text(encoding="utf-8")


def default_memory() -> int:
    """Returns a quarter of the memory of this machine, its container or its batch job, in bytes."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    texts = [
        path.read_text(encoding="utf-8").strip() for path in _memory_limit_files() if path.is_file()
    ]
    # "max" means no limit.
    limits = [int(text) for text in texts if text.isdecimal()]
    return min([physical, *limits]) // MEMORY_SHARE


def _memory_limit_files() -> Iterator[Path]:
    """Yields files that may hold a memory limit of this process, for cgroups v2 and v1."""
    own = OWN_CGROUPS.read_text(encoding="utf-8") if OWN_CGROUPS.exists() else ""
    # A container sees its own group as the root, even if the list has the host's path.
    for line in ("0::/", "0:memory:/", *own.splitlines()):
        _, controllers, group = line.split(":", 2)
        for folder in (Path(group), *Path(group).parents):
            path = folder.relative_to("/")
            if not controllers:
                yield CGROUPS / path / "memory.max"
            elif "memory" in controllers.split(","):
                yield CGROUPS / "memory" / path / "memory.limit_in_bytes"


def gather(strategy: tf.distribute.Strategy, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Concatenates the arrays of all processes of a training along the first axis.

    Every process must call this, and gets the same result.

    Args:
        strategy: the strategy of the training.
        array: of this process, float32 or int64; only the first axis may differ.
    """
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return array
    local_replicas = len(strategy.extended.worker_devices)
    values = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(
            array[:0] if context.replica_id_in_sync_group % local_replicas else array
        )
    )
    return strategy.gather(values, axis=0).numpy()
