import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError

from models.hyperparameters import resolve


@pytest.fixture(scope="module")
def record(finished_run):
    return json.loads(Path(finished_run.model_run_dir, "training.json").read_text())


@pytest.fixture(scope="module")
def reference(finished_run):
    return np.load(Path(finished_run.model_run_dir, "reference_scores.npz"))


def test_network_learns_what_can_be_told_apart(record):
    kept = record["epochs"][record["epoch_kept"] - 1]
    assert kept["val_auc"] > 0.9
    assert kept["val_binary_accuracy"] > 0.8


def test_record_tells_how_the_training_was_done(record):
    overrides = {"units": 32, "blocks": 2, "batch_size_per_replica": 128, "epochs": 4}
    assert record["hyperparameters"] == resolve("demo", **overrides).model_dump()
    assert record["seed"] == 3
    assert record["strategy"] == {"kind": "cpu", "replicas": 1, "devices": ["/device:CPU:0"]}
    assert record["events"] == {"train": 6000, "eval": 1100}
    assert (record["batch_size"], record["steps_per_epoch"]) == (128, 46)
    deep = 29 * 32 + 33 * 32 + 2 * 4 * 32 + 33
    assert record["parameters"] == {"wide": 29, "deep": deep, "total": deep + 29}


def test_reference_holds_the_first_events_of_eval(reference, run_data):
    np.testing.assert_array_equal(reference["features"], run_data[1].features[:1000])
    assert reference["signal_probability"].shape == (1000, 1)
    assert reference["signal_probability"].dtype == np.float32


def test_export_scores_as_the_trained_network(finished_run, reference):
    signatures = tf.saved_model.load(finished_run.serving_model_dir).signatures
    found = signatures["score_features"](tf.constant(reference["features"]))["signal_probability"]
    np.testing.assert_allclose(found, reference["signal_probability"], atol=1e-6)


def test_export_holds_weights_and_no_optimizer(finished_run):
    variables = tf.train.list_variables(f"{finished_run.serving_model_dir}/variables/variables")
    # Two blocks of six weights each, the wide and the deep part's last layer of two.
    names = [name for name, _ in variables if not name.startswith(("_CHECKPOINTABLE", "save_"))]
    assert len(names) == 2 * 6 + 2 + 2
    assert all(name.startswith("weights/") for name in names)


def test_tensorboard_gets_both_splits(finished_run):
    folder = Path(finished_run.model_run_dir)
    assert [*folder.glob("train/events*")]
    assert [*folder.glob("validation/events*")]


def test_same_seed_gives_the_same_network(start_run, run_data, reference, tmp_path):
    shape = {"units": 32, "blocks": 2, "batch_size_per_replica": 128, "epochs": 4}
    again = start_run(tmp_path, *run_data, **shape)
    repeated = np.load(Path(again.model_run_dir, "reference_scores.npz"))
    np.testing.assert_array_equal(repeated["signal_probability"], reference["signal_probability"])


def test_unknown_hyperparameter_stops_before_any_work(start_run, run_data, tmp_path):
    with pytest.raises(ValidationError, match="unit"):
        start_run(tmp_path, *run_data, unit=3)
