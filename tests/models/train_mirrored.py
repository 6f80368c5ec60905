"""Trains on several logical CPU devices, which only a fresh process can have; run by test_training.

Arguments: an .npz with ``features`` and ``labels``, the number of devices, the global
batch, and a folder for TensorBoard. Prints the training's outcome as JSON.
"""

import json
import sys

import numpy as np
import tensorflow as tf

from models.hyperparameters import resolve
from models.input_data import Events
from models.network import host_copy
from models.training import train

if __name__ == "__main__":
    data, devices, batch, log_dir = sys.argv[1:]
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * int(devices),
    )
    names = [device.name for device in tf.config.list_logical_devices("CPU")]
    loaded = np.load(data)
    events = Events(loaded["features"], loaded["labels"])
    trained = train(
        *(events, events),
        resolve("demo", units=16, epochs=3, batch_size_per_replica=int(batch) // len(names)),
        seed=1,
        strategy=tf.distribute.MirroredStrategy(names),
        log_dir=log_dir,
    )
    score = host_copy(trained.network)(events.features[:5]).numpy()
    outcome = {
        "batch_size": trained.batch_size,
        "epochs": trained.epochs,
        "finite": bool(np.isfinite(score).all()),
    }
    print(json.dumps(outcome))
