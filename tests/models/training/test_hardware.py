import json
import logging
import os
from dataclasses import dataclass
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import tensorflow as tf

from formats.training_record import StrategyRecord
from models.training import hardware
from models.training.hardware import (
    AcceleratorMissingError,
    TPUUnavailableError,
    choose_policy,
    find_machine,
)


def make_hardware(kind="cpu", replicas=1, devices=("d",), hosts=1, host=0):
    return StrategyRecord(kind=kind, replicas=replicas, devices=devices, hosts=hosts, host=host)


@dataclass
class FakeResolver:
    """TensorFlow's resolver of a TPU; a local one has no address."""

    tpu: str

    def master(self):
        return "" if self.tpu == "local" else "grpc://10.0.0.2:8470"

    def get_job_name(self):
        return "worker"


@pytest.fixture
def set_devices(monkeypatch):
    """Pretends that the machine has some devices; records how its TPU is initialized."""
    monkeypatch.delenv("TPU_NAME", raising=False)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    steps = []

    def with_devices(**counts):
        def devices(kind=None):
            kinds = [kind] if kind else counts
            return [
                SimpleNamespace(name=f"/device:{kind}:{i}")
                for kind in kinds
                for i in range(counts.get(kind, 0))
            ]

        monkeypatch.setattr(tf.config, "list_physical_devices", devices)
        monkeypatch.setattr(tf.config, "get_visible_devices", devices)
        monkeypatch.setattr(tf.config, "list_logical_devices", devices)
        return steps

    def record(name):
        strategy = SimpleNamespace(num_replicas_in_sync=8, extended=SimpleNamespace(num_hosts=1))
        return lambda resolver, **_: steps.append((name, resolver.tpu)) or strategy

    resolver = tf.distribute.cluster_resolver
    monkeypatch.delenv("TPU_WORKER_HOSTNAMES", raising=False)
    monkeypatch.setattr(resolver, "TPUClusterResolver", FakeResolver)
    monkeypatch.setattr(tf.config, "experimental_connect_to_cluster", record("connect"))
    monkeypatch.setattr(tf.tpu.experimental, "initialize_tpu_system", record("initialize"))
    monkeypatch.setattr(tf.distribute, "TPUStrategy", record("strategy"))
    return with_devices


def prepared(name):
    return [(step, name) for step in ("connect", "initialize", "strategy")]


@pytest.mark.parametrize(
    ("required", "count", "visible"),
    [
        ("gpu", 1, {"CPU": 1}),
        ("tpu", 1, {"CPU": 1, "GPU": 1}),
        ("gpu", 2, {"CPU": 1, "GPU": 1}),
        ("gpu", 4, {"CPU": 1, "GPU": 3}),
        ("tpu", 8, {"CPU": 1, "TPU": 4}),
    ],
)
def test_a_requested_accelerator_that_is_missing_is_an_error(
    required, count, visible, set_devices, monkeypatch
):
    set_devices(**visible)
    strategy = SimpleNamespace(num_replicas_in_sync=visible.get("GPU"))
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda: strategy)
    monkeypatch.setenv("LD_LIBRARY_PATH", "/usr/lib/drivers")
    with pytest.raises(AcceleratorMissingError) as error:
        find_machine(required=required, required_count=count)
    assert f"{count} {required.upper()} requested" in str(error.value)
    kind, number = list(visible.items())[-1]
    assert "sees only /device:CPU:0" in str(error.value)
    assert f"/device:{kind}:{number - 1}; " in str(error.value)
    assert "/usr/lib/drivers" in str(error.value)


@pytest.mark.parametrize(("required", "count"), [("gpu", 1), ("gpu", 2), (None, 1)])
def test_requested_accelerators_that_are_there_are_used(required, count, set_devices, monkeypatch):
    set_devices(CPU=1, GPU=2)
    strategy = SimpleNamespace(num_replicas_in_sync=2)
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda: strategy)
    machine = find_machine(required=required, required_count=count)
    assert (machine.hardware.kind, machine.hardware.replicas) == ("gpu", 2)


def test_a_cpu_has_the_default_strategy(set_devices):
    set_devices(CPU=1)
    machine = find_machine()
    assert machine.strategy is tf.distribute.get_strategy()
    assert machine.hardware == make_hardware("cpu", 1, ("/device:CPU:0",))


def test_one_gpu_has_the_default_strategy(set_devices):
    set_devices(CPU=1, GPU=1)
    machine = find_machine()
    assert machine.strategy is tf.distribute.get_strategy()
    assert machine.hardware == make_hardware("gpu", 1, ("/device:GPU:0",))


def test_several_gpus_are_mirrored(set_devices, monkeypatch):
    set_devices(CPU=1, GPU=3)
    mirrored = SimpleNamespace(num_replicas_in_sync=3)
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda: mirrored)
    machine = find_machine()
    assert machine.strategy is mirrored
    assert machine.hardware == make_hardware("gpu", 3, tuple(f"/device:GPU:{i}" for i in range(3)))


def test_a_local_tpu_precedes_gpus(set_devices):
    steps = set_devices(CPU=1, GPU=2, TPU=8)
    machine = find_machine()
    assert steps == prepared("local")
    assert machine.strategy.num_replicas_in_sync == 8
    assert machine.hardware == make_hardware("tpu", 8, tuple(f"/device:TPU:{i}" for i in range(8)))


def test_one_process_drives_all_hosts_of_a_tpu_slice(set_devices, monkeypatch, caplog):
    set_devices(CPU=1, TPU=32)
    slice_of_four = SimpleNamespace(num_replicas_in_sync=32, extended=SimpleNamespace(num_hosts=4))
    monkeypatch.setattr(tf.distribute, "TPUStrategy", lambda _: slice_of_four)
    monkeypatch.setenv("TPU_NAME", "pod")
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        machine = find_machine()
    assert machine.hardware == make_hardware(
        "tpu", 32, tuple(f"/device:TPU:{i}" for i in range(32)), hosts=4
    )
    assert machine.first_host == "/job:worker/replica:0/task:0"
    assert list(machine.own_hosts) == [0, 1, 2, 3]
    assert "training on 32 TPU on 4 hosts: " in caplog.text


def test_a_host_that_holds_its_devices_reads_its_own_events(set_devices):
    set_devices(CPU=1, TPU=8)
    machine = find_machine()
    assert machine.first_host is None
    assert list(machine.own_hosts) == [0]


def test_a_host_of_a_slice_does_not_train_on_its_own_tpus_alone(set_devices, monkeypatch):
    steps = set_devices(CPU=1, TPU=4)
    monkeypatch.setenv("TPU_WORKER_HOSTNAMES", "tpu-0,tpu-1")
    with pytest.raises(
        TPUUnavailableError,
        match=r"one of the 2 hosts .*TPU_NAME=grpc://tpu-0:8470,grpc://tpu-1:8470;",
    ):
        find_machine()
    assert steps == []


def test_the_environment_names_the_tpu(set_devices, monkeypatch):
    steps = set_devices(CPU=1, TPU=8)
    monkeypatch.setenv("TPU_NAME", "my-tpu")
    find_machine()
    assert steps == prepared("my-tpu")


def test_the_hosts_of_a_tpu_given_by_address_are_awaited(set_devices, monkeypatch):
    steps = set_devices(CPU=1, TPU=8)
    awaited = []
    monkeypatch.setattr(hardware, "wait_for", lambda hosts, *_: awaited.extend(map(str, hosts)))
    for addresses in ("grpc://10.0.0.2:8470", "10.0.0.3:8470,10.0.0.4:8470"):
        monkeypatch.setenv("TPU_NAME", addresses)
        find_machine()
    assert awaited == [
        "TPU host 0 at 10.0.0.2:8470",
        "TPU host 0 at 10.0.0.3:8470",
        "TPU host 1 at 10.0.0.4:8470",
    ]
    assert len(steps) == 6


@pytest.mark.parametrize("address", ["grpc://no-such-host.invalid:8470", "grpc://no-port"])
def test_an_address_of_a_tpu_that_does_not_answer_is_an_error(set_devices, monkeypatch, address):
    steps = set_devices(CPU=1)
    monkeypatch.setenv("TPU_NAME", address)
    with pytest.raises(TPUUnavailableError, match=r"'grpc://no-.*' cannot be .*check TPU_NAME"):
        find_machine(timeout=-1)
    assert steps == []


@pytest.mark.parametrize("error", [ValueError, RuntimeError, URLError, KeyError])
def test_a_named_tpu_that_fails_is_an_error(set_devices, monkeypatch, error):
    set_devices(CPU=1, GPU=2)

    def fail(_):
        raise error("no answer")

    monkeypatch.setattr(tf.tpu.experimental, "initialize_tpu_system", fail)
    monkeypatch.setenv("TPU_NAME", "my-tpu")
    with pytest.raises(TPUUnavailableError, match=r"'my-tpu' cannot .*no answer.*\): .*unset"):
        find_machine()


def cluster(task, index, **jobs):
    named = {job: [f"{job}-{n}:2222" for n in range(count)] for job, count in jobs.items()}
    return json.dumps({"cluster": named, "task": {"type": task, "index": index}})


@pytest.mark.parametrize(
    ("config", "hosts", "host"),
    [
        (cluster("worker", 1, worker=2), 2, 1),
        (cluster("chief", 0, chief=1, worker=2), 3, 0),
        (cluster("worker", 0, chief=1, worker=2), 3, 1),
    ],
)
def test_hosts_of_a_cluster_train_together(set_devices, monkeypatch, config, hosts, host):
    set_devices(CPU=1, GPU=2)
    several = SimpleNamespace(num_replicas_in_sync=2 * hosts)
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", lambda: several)
    monkeypatch.setenv("TF_CONFIG", config)
    met = []
    monkeypatch.setattr(hardware, "meet_hosts", lambda _, timeout: met.append(timeout))
    machine = find_machine(timeout=7)
    assert met == [7]
    assert machine.strategy is several
    devices = ("/device:GPU:0", "/device:GPU:1")
    assert machine.hardware == make_hardware("gpu", 2 * hosts, devices, hosts, host)


def test_a_cluster_of_one_host_is_this_machine(set_devices, monkeypatch):
    set_devices(CPU=1)
    monkeypatch.setenv("TF_CONFIG", cluster("chief", 0, chief=1))
    assert find_machine().hardware == make_hardware("cpu", 1, ("/device:CPU:0",))


def test_the_devices_are_logged(set_devices, caplog):
    set_devices(CPU=1)
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        find_machine()
    assert caplog.messages == ["training on 1 CPU: /device:CPU:0"]


@pytest.fixture
def set_cpu_flags(monkeypatch, tmp_path):
    def write(flags):
        path = tmp_path / "cpuinfo"
        path.write_text(f"flags\t\t: fpu {flags}\n")
        monkeypatch.setattr(hardware, "CPU_INFO", path)

    return write


@pytest.mark.parametrize(
    ("kind", "flags", "expected"),
    [
        ("cpu", "avx512f avx512_bf16", "mixed_bfloat16"),
        ("cpu", "avx2 avx512f", "float32"),
        ("gpu", "avx512_bf16", "mixed_float16"),
        ("tpu", "avx2", "mixed_bfloat16"),
    ],
)
def test_auto_is_the_precision_that_the_hardware_is_fast_at(set_cpu_flags, kind, flags, expected):
    set_cpu_flags(flags)
    assert choose_policy("auto", make_hardware(kind)) == expected


@pytest.mark.parametrize(
    ("precision", "expected"),
    [("float32", "float32"), ("bfloat16", "mixed_bfloat16"), ("float16", "mixed_float16")],
)
def test_a_chosen_precision_does_not_depend_on_the_hardware(set_cpu_flags, precision, expected):
    set_cpu_flags("avx2")
    assert choose_policy(precision, make_hardware()) == expected


def test_without_cpu_flags_the_precision_is_float32(monkeypatch, tmp_path):
    monkeypatch.setattr(hardware, "CPU_INFO", tmp_path / "none")
    assert choose_policy("auto", make_hardware()) == "float32"


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, None),
        ({"memory.max": "max"}, None),
        ({"memory.max": "4000000\n"}, 4_000_000),
        ({"memory/memory.limit_in_bytes": "8000000"}, 8_000_000),
        ({"memory/memory.limit_in_bytes": "9223372036854771712"}, None),
        # A batch job, which sees the machine's groups.
        ({"batch/job 1/memory.max": "5000000", "batch/memory.max": "max"}, 5_000_000),
        ({"batch/job 1/memory.max": "max", "batch/memory.max": "6000000"}, 6_000_000),
        ({"memory/batch/job_1/memory.limit_in_bytes": "7000000"}, 7_000_000),
        ({"batch/other/memory.max": "1000000"}, None),
    ],
)
def test_the_default_memory_is_a_quarter_of_the_groups(monkeypatch, tmp_path, files, limit):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    own = tmp_path / "own"
    own.write_text("9:cpu,memory:/batch/job_1\n8:cpu:/batch/other\n0::/batch/job 1\n")
    monkeypatch.setattr(hardware, "CGROUPS", tmp_path)
    monkeypatch.setattr(hardware, "OWN_CGROUPS", own)
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert hardware.default_memory() == (limit or physical) // 4


def test_a_single_process_gathers_its_own_array():
    array = np.arange(3)
    assert hardware.gather(tf.distribute.get_strategy(), array) is array
