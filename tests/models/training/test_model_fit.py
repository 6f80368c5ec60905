import json

import numpy as np

from formats.hyperparameters import resolve
from models.network import Preparation, build_network, prepare
from models.training.normalization import Normalization
from models.training.sizing import sized
from models.training.strategy import Hardware
from models.training.training_summary import TrainingRecord, count_parameters, layers_of


def test_kaggle_preset_has_the_notebooks_parameters():
    unit = Preparation(Normalization(np.zeros(28, np.float32), np.ones(28, np.float32)), None)
    network = build_network(sized(resolve("kaggle"), 1000), unit)
    blocks = (28 + 1) * 2048 + 4 * (2048 + 1) * 2048 + 5 * 4 * 2048
    expected = {"wide": 29, "deep": blocks + 2049, "total": blocks + 2049 + 29}
    assert count_parameters(layers_of(network)) == expected


def test_layers_are_told_in_order_with_part_and_shape(make_events, demo):
    hyperparameters = demo(units=8, blocks=1, buckets=6)
    network = build_network(hyperparameters, prepare(make_events(100), hyperparameters))
    told = [(x["name"], x["part"], x["output_shape"], x["parameters"]) for x in layers_of(network)]
    assert told == [
        ("columns", "inputs", [28], 0),
        ("normalization", "inputs", [28], 0),
        ("clip", "inputs", [28], 0),
        ("buckets", "wide", [28], 28 * (5 + 1 + 5)),
        ("inputs", "inputs", [56], 0),
        ("input_dropout", "deep", [56], 0),
        ("dense_1", "deep", [8], 57 * 8),
        ("batch_norm_1", "deep", [8], 4 * 8),
        ("activation_1", "deep", [8], 0),
        ("dropout_1", "deep", [8], 0),
        ("wide", "wide", [1], 57),
        ("deep", "deep", [1], 9),
        ("logits", "output", [1], 0),
        ("signal_probability", "output", [1], 0),
    ]


def test_record_is_written_as_plain_json(tmp_path):
    values = {
        "seed": 1,
        "precision": "float32",
        "hyperparameters": {"units": 8},
        "parameters": {"wide": 29, "deep": 300, "total": 329},
        "layers": [{"name": "wide", "parameters": 29}],
        "trees": None,
        "blend": None,
        "events": {"train": 100, "eval": 50},
        "batch_size": 10,
        "steps_per_epoch": 10,
        "peak_learning_rate": 0.001,
        "epochs": [{"epoch": 1, "loss": 0.5}],
        "epoch_kept": 1,
        "resumed_at": 0,
        "warm_start": ["wide.kernel"],
        "events_per_second": 1000.0,
        "seconds": 2.5,
    }
    record = TrainingRecord(strategy=Hardware("gpu", 2, ("GPU:0", "GPU:1")), **values)
    record.write(str(tmp_path))
    strategy = {"kind": "gpu", "replicas": 2, "devices": ["GPU:0", "GPU:1"], "hosts": 1, "host": 0}
    assert json.loads((tmp_path / "training.json").read_text()) == values | {"strategy": strategy}
