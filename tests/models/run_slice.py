"""Runs the trainer as the one process that drives a slice of several hosts, without TPUs.

TPUStrategy needs TPUs. MirroredStrategy refuses devices of several hosts in eager mode, although it
can drive them; here it is made to. Like TPUStrategy, it builds an input pipeline on each host.

Arguments: the attributes of TFX's ``FnArgs`` as JSON, and the addresses of the hosts.
"""

import json
import sys
import types

import tensorflow as tf
from tensorflow.python.distribute import mirrored_strategy

from formats.training_record import StrategyRecord
from models import trainer
from models.training.hardware import Machine

if __name__ == "__main__":
    arguments, *hosts = sys.argv[1:]
    tf.config.experimental_connect_to_cluster(tf.train.ClusterSpec({"worker": hosts}))
    names = [f"/job:worker/replica:0/task:{host}" for host in range(len(hosts))]
    devices = [f"{name}/device:CPU:0" for name in names]
    mirrored_strategy._is_device_list_single_worker = lambda _: True
    strategy = tf.distribute.MirroredStrategy(devices, tf.distribute.ReductionToOneDevice())
    strategy.extended._input_workers_devices = [(device, [device]) for device in devices]
    record = StrategyRecord(kind="cpu", replicas=len(hosts), devices=devices, hosts=len(hosts))
    trainer.find_machine = lambda **_: Machine(strategy, record, names[0])
    trainer.run_fn(types.SimpleNamespace(**json.loads(arguments)))
