"""Trains on several logical CPU devices, which only a fresh process can have; run by test_training.

Arguments: an .npz with ``features`` and ``labels``, the number of devices, the global
batch, a folder for TensorBoard, and hyperparameters as JSON. Prints the training's outcome as JSON.
"""

import json
import sys

import numpy as np
import tensorflow as tf
import tf_keras

from formats.hyperparameters import resolve
from models.event_table import Events
from models.serving.assembly import on_host
from models.training.network_fit import plan_training, train
from models.training.sizing import sized
from models.training.strategy import Hardware

if __name__ == "__main__":
    data, devices, batch, log_dir, overrides = sys.argv[1:]
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * int(devices),
    )
    tf_keras.utils.set_random_seed(1)
    names = tuple(device.name for device in tf.config.list_logical_devices("CPU"))
    loaded = np.load(data)
    events = Events(loaded["features"], loaded["labels"])
    share = int(batch) // len(names)
    hyperparameters = sized(
        resolve("demo", batch_size_per_replica=share, **json.loads(overrides)), len(events)
    )
    plan = plan_training(len(events), hyperparameters, 1, Hardware("cpu", len(names), names))
    trained = train(
        *(events, events, plan), strategy=tf.distribute.MirroredStrategy(names), log_dir=log_dir
    )
    host = on_host(trained.network, hyperparameters, trained.preparation)
    outcome = {
        "batch_size": plan.batch_size,
        "peak": plan.peak,
        "epochs": trained.epochs,
        "scores": host(events.features[:100]).numpy().ravel().tolist(),
    }
    print(json.dumps(outcome))
