import json
import logging
from types import SimpleNamespace

import pytest
import tensorflow as tf

from models.training.strategy import Hardware, TPUUnavailableError, find_strategy


@pytest.fixture
def machine(monkeypatch):
    """A machine with the devices that a test gives it; notes how its TPU is prepared."""
    monkeypatch.delenv("TPU_NAME", raising=False)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    steps = []

    def with_devices(**counts):
        def devices(kind):
            return [SimpleNamespace(name=f"/device:{kind}:{i}") for i in range(counts.get(kind, 0))]

        monkeypatch.setattr(tf.config, "list_physical_devices", devices)
        monkeypatch.setattr(tf.config, "get_visible_devices", devices)
        monkeypatch.setattr(tf.config, "list_logical_devices", devices)
        return steps

    def note(name):
        return lambda value: steps.append((name, value)) or SimpleNamespace(num_replicas_in_sync=8)

    resolver = tf.distribute.cluster_resolver
    monkeypatch.setattr(resolver, "TPUClusterResolver", lambda tpu: f"resolver of {tpu}")
    monkeypatch.setattr(tf.config, "experimental_connect_to_cluster", note("connect"))
    monkeypatch.setattr(tf.tpu.experimental, "initialize_tpu_system", note("initialize"))
    monkeypatch.setattr(tf.distribute, "TPUStrategy", note("strategy"))
    return with_devices


def prepared(name):
    return [(step, f"resolver of {name}") for step in ("connect", "initialize", "strategy")]


def test_cpu_alone_trains_on_the_default(machine):
    machine(CPU=1)
    strategy, hardware = find_strategy()
    assert strategy is tf.distribute.get_strategy()
    assert hardware == Hardware("cpu", 1, ("/device:CPU:0",))


def test_one_gpu_trains_on_the_default(machine):
    machine(CPU=1, GPU=1)
    strategy, hardware = find_strategy()
    assert strategy is tf.distribute.get_strategy()
    assert hardware == Hardware("gpu", 1, ("/device:GPU:0",))


def test_several_gpus_are_mirrored(machine, monkeypatch):
    machine(CPU=1, GPU=3)
    mirrored = SimpleNamespace(num_replicas_in_sync=3)
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda: mirrored)
    strategy, hardware = find_strategy()
    assert strategy is mirrored
    assert hardware == Hardware("gpu", 3, tuple(f"/device:GPU:{i}" for i in range(3)))


def test_the_machines_own_tpu_goes_before_its_gpus(machine):
    steps = machine(CPU=1, GPU=2, TPU=8)
    strategy, hardware = find_strategy()
    assert steps == prepared("local")
    assert strategy.num_replicas_in_sync == 8
    assert hardware == Hardware("tpu", 8, tuple(f"/device:TPU:{i}" for i in range(8)))


def test_tpu_is_taken_by_the_environments_name(machine, monkeypatch):
    steps = machine(CPU=1, TPU=8)
    monkeypatch.setenv("TPU_NAME", "my-tpu")
    find_strategy()
    assert steps == prepared("my-tpu")


def test_given_name_goes_before_the_environments(machine, monkeypatch):
    steps = machine(CPU=1, TPU=8)
    monkeypatch.setenv("TPU_NAME", "my-tpu")
    find_strategy("grpc://10.0.0.2:8470")
    assert steps == prepared("grpc://10.0.0.2:8470")


@pytest.mark.parametrize("error", [ValueError, RuntimeError])
def test_named_tpu_that_fails_is_not_passed_over(machine, monkeypatch, error):
    machine(CPU=1, GPU=2)

    def fail(_):
        raise error("no answer")

    monkeypatch.setattr(tf.tpu.experimental, "initialize_tpu_system", fail)
    with pytest.raises(TPUUnavailableError, match=r"'my-tpu' cannot .* \(no answer\): .*unset"):
        find_strategy("my-tpu")


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
def test_hosts_that_are_named_train_together(machine, monkeypatch, config, hosts, host):
    machine(CPU=1, GPU=2)
    several = SimpleNamespace(num_replicas_in_sync=2 * hosts)
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", lambda: several)
    monkeypatch.setenv("TF_CONFIG", config)
    strategy, hardware = find_strategy()
    assert strategy is several
    devices = ("/device:GPU:0", "/device:GPU:1")
    assert hardware == Hardware("gpu", 2 * hosts, devices, hosts, host)


def test_cluster_of_one_is_this_machine(machine, monkeypatch):
    machine(CPU=1)
    monkeypatch.setenv("TF_CONFIG", cluster("chief", 0, chief=1))
    assert find_strategy()[1] == Hardware("cpu", 1, ("/device:CPU:0",))


def test_what_was_found_is_logged(machine, caplog):
    machine(CPU=1)
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        find_strategy()
    assert caplog.messages == ["training on 1 CPU: /device:CPU:0"]
