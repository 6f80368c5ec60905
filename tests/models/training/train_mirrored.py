"""Trains on several logical CPU devices, which must be configured before TensorFlow starts.

Run by test_network_fit. Arguments: an .npz with ``features`` and ``labels``, the number of devices,
the global batch size, a folder for TensorBoard, and hyperparameters as JSON. Prints results as
JSON.
"""

import json
import sys

import numpy as np
import tensorflow as tf
import tf_keras

from formats.hyperparameters import resolve
from formats.training_record import StrategyRecord
from models.event_table import EventTable
from models.serving.assembly import copy_to_host
from models.training.event_survey import Splits
from models.training.network_fit import TrainingEnvironment, train
from models.training.training_plan import plan_training, size_hyperparameters

if __name__ == "__main__":
    data, devices, batch, log_dir, overrides = sys.argv[1:]
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * int(devices),
    )
    tf_keras.utils.set_random_seed(1)
    names = tuple(device.name for device in tf.config.list_logical_devices("CPU"))
    arrays = np.load(data)
    events = EventTable(arrays["features"], arrays["labels"])
    share = int(batch) // len(names)
    hyperparameters = size_hyperparameters(
        resolve("demo", batch_size_per_replica=share, **json.loads(overrides)), len(events)
    )
    hardware = StrategyRecord(kind="cpu", replicas=len(names), devices=names)
    plan = plan_training(len(events), hyperparameters, 1, hardware)
    environment = TrainingEnvironment(tf.distribute.MirroredStrategy(names), log_dir)
    trained = train(Splits.of_tables(events, events), plan, environment)
    network = copy_to_host(trained.network, hyperparameters, trained.statistics)
    results = {
        "batch_size": plan.batch_size,
        "peak": plan.peak_learning_rate,
        "epochs": trained.epochs,
        "scores": network(events.features[:100]).numpy().ravel().tolist(),
    }
    print(json.dumps(results))
