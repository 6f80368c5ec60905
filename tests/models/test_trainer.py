import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError
from sklearn.metrics import roc_auc_score

from formats.hyperparameters import resolve
from models.trainer import run_fn, wait_for
from models.training.network_fit import DivergedError
from models.training.sizing import sized

SCRIPT = Path(__file__).parent / "run_trainer.py"


@pytest.fixture(scope="module")
def record(finished_run):
    return json.loads(Path(finished_run.model_run_dir, "training.json").read_text())


@pytest.fixture(scope="module")
def reference(finished_run):
    return np.load(Path(finished_run.model_run_dir, "reference_scores.npz"))


def test_network_learns_what_can_be_told_apart(record):
    kept = record["epochs"][record["epoch_kept"] - 1]
    assert kept["val_auc"] > 0.83
    assert kept["val_binary_accuracy"] > 0.75


def test_model_is_better_than_its_network(record, reference, run_data):
    labels = run_data[1].labels[reference["event"]]
    auc = roc_auc_score(labels, reference["signal_probability"])
    assert auc > 0.01 + record["epochs"][-1]["val_auc"]


def test_record_tells_how_the_training_was_done(record, run_overrides):
    expected = sized(resolve("demo", **run_overrides), 6000).model_dump()
    assert record["hyperparameters"] == expected
    assert record["seed"] == 3
    devices = {"replicas": 1, "devices": ["/device:CPU:0"], "hosts": 1, "host": 0}
    assert record["strategy"] == {"kind": "cpu", **devices}
    assert record["precision"] in {"float32", "mixed_bfloat16"}
    assert record["events"] == {"train": 6000, "eval": 1100}
    assert (record["batch_size"], record["steps_per_epoch"]) == (128, 46)
    assert record["events_per_second"] > 0
    assert (record["resumed_at"], record["warm_start"]) == (0, [])
    assert record["trees"]["trees"] == 20
    assert record["trees"]["events"] == 6000
    assert set(record["blend"]) == {"network", "leaves", "bias"}


def test_record_counts_the_weights_of_both_parts(record):
    deep = 57 * 32 + 33 * 32 + 2 * 4 * 32 + 33
    # A linear weight for each of 56 inputs and a bias; 8 buckets' 7 edges, first weight and steps.
    wide = 57 + 28 * (7 + 1 + 7) + record["trees"]["leaves"]
    assert record["parameters"] == {"wide": wide, "deep": deep, "total": deep + wide}
    assert sum(layer["parameters"] for layer in record["layers"]) == (
        deep + wide - record["trees"]["leaves"]
    )


def test_reference_holds_the_first_events_of_eval(reference, run_data):
    places = reference["event"]
    np.testing.assert_array_equal(reference["features"], run_data[1].features[places])
    # All but those near a threshold of a tree.
    assert 900 < len(places) <= 1000
    assert places.max() < 1000
    assert reference["signal_probability"].shape == (len(places), 1)
    assert reference["signal_probability"].dtype == np.float32


def test_loss_that_is_not_finite_leaves_no_model(prepare_run, run_data, run_overrides, tmp_path):
    rates = {"learning_rate": 1e30, "learning_rate_batch": None}
    fn_args = prepare_run(tmp_path, *run_data, **run_overrides, **rates)
    with pytest.raises(DivergedError, match="the loss was not finite at step"):
        run_fn(fn_args)
    assert not Path(fn_args.serving_model_dir).exists()
    assert not Path(fn_args.model_run_dir, "training.json").exists()


def test_export_scores_as_the_trained_network(finished_run, reference):
    signatures = tf.saved_model.load(finished_run.serving_model_dir).signatures
    found = signatures["score_features"](tf.constant(reference["features"]))["signal_probability"]
    np.testing.assert_allclose(found, reference["signal_probability"], atol=1e-6)


def test_export_holds_weights_and_no_optimizer(finished_run):
    variables = tf.train.list_variables(f"{finished_run.serving_model_dir}/variables/variables")
    names = {name for name, _ in variables if not name.startswith(("_CHECKPOINTABLE", "save_"))}
    blocks = {
        f"{layer}_{block}:{weight}"
        for block in (1, 2)
        for layer, weights in (
            ("dense", ("kernel", "bias")),
            ("batch_norm", ("gamma", "beta", "moving_mean", "moving_variance")),
        )
        for weight in weights
    }
    outputs = {f"{part}:{weight}" for part in ("wide", "deep") for weight in ("kernel", "bias")}
    buckets = {f"buckets:{weight}" for weight in ("edges", "first", "steps")}
    leaves = {f"leaves:{weight}" for weight in ("column", "threshold", "children", "weight")}
    steps = {f"{name}:step" for name in ("input_dropout", "dropout_1", "dropout_2")}
    expected = blocks | outputs | buckets | leaves | steps
    assert {name.split("/")[1] for name in names} == expected


def test_tensorboard_gets_both_splits(finished_run):
    folder = Path(finished_run.model_run_dir)
    assert [*folder.glob("train/events*")]
    assert [*folder.glob("validation/events*")]


def test_same_seed_gives_the_same_network(start_run, run_data, run_overrides, reference, tmp_path):
    again = start_run(tmp_path, *run_data, **run_overrides)
    repeated = np.load(Path(again.model_run_dir, "reference_scores.npz"))
    np.testing.assert_array_equal(repeated["signal_probability"], reference["signal_probability"])


def test_unknown_hyperparameter_stops_before_any_work(start_run, run_data, tmp_path):
    with pytest.raises(ValidationError, match="unit"):
        start_run(tmp_path, *run_data, unit=3)


def test_states_of_a_finished_training_are_gone(finished_run):
    root = Path(finished_run.custom_config["checkpoint_root"])
    assert not root.exists() or not [*root.iterdir()]


def test_warm_start_begins_where_the_earlier_model_was(
    start_run, run_data, run_overrides, finished_run, record, tmp_path
):
    changes = run_overrides | {"epochs": 1, "learning_rate": 1e-9, "min_learning_rate": 0}
    warm, cold = (
        json.loads(Path(run.model_run_dir, "training.json").read_text())
        for run in (
            start_run(
                tmp_path / "warm", *run_data, base_model=finished_run.serving_model_dir, **changes
            ),
            start_run(tmp_path / "cold", *run_data, **changes),
        )
    )
    assert "dense_1:kernel" in warm["warm_start"]
    assert warm["epochs"][0]["val_auc"] == pytest.approx(record["epochs"][-1]["val_auc"], abs=0.01)
    assert cold["warm_start"] == []
    assert cold["epochs"][0]["val_auc"] < warm["epochs"][0]["val_auc"] - 0.2


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_training_goes_on_and_ends_as_one_that_was_not(
    prepare_run, start_run, run_data, run_overrides, tmp_path, seed
):
    overrides = run_overrides | {"epochs": 12, "precision": "float32"}
    whole = start_run(tmp_path / "whole", *run_data, **overrides)
    fn_args = prepare_run(tmp_path / "killed", *run_data, **overrides)
    kill_after_an_epoch(fn_args, np.random.default_rng(seed).uniform(0, 0.5))
    assert not Path(fn_args.serving_model_dir).exists()
    assert not Path(fn_args.model_run_dir, "training.json").exists()
    run_fn(fn_args)
    first, second = (
        json.loads(Path(run.model_run_dir, "training.json").read_text()) for run in (whole, fn_args)
    )
    assert 1 <= second["resumed_at"] <= 12
    assert len(second["epochs"]) == len(first["epochs"]) == 12
    for one, other in zip(first["epochs"], second["epochs"], strict=True):
        assert other["val_auc"] == pytest.approx(one["val_auc"], abs=1e-5)


def kill_after_an_epoch(fn_args, seconds):
    """Runs the trainer and kills it, without a warning, so long after its first saved epoch."""
    process = subprocess.Popen([sys.executable, SCRIPT, json.dumps(vars(fn_args))])
    root = Path(fn_args.custom_config["checkpoint_root"])
    while not [*root.glob("*/000*/epochs.json")]:
        assert process.poll() is None, "the training ended before its first epoch"
        time.sleep(0.005)
    time.sleep(seconds)
    process.kill()
    assert process.wait() == -signal.SIGKILL


def test_hosts_train_together_and_the_first_one_exports(
    prepare_run, run_data, run_overrides, tmp_path
):
    overrides = run_overrides | {"precision": "float32", "epochs": 2}
    fn_args = prepare_run(tmp_path / "run", *run_data, **overrides)
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(socket.socket()) for _ in range(2)]
        for port in ports:
            port.bind(("localhost", 0))
        addresses = [f"localhost:{port.getsockname()[1]}" for port in ports]
    hosts = [start_host(fn_args, addresses, index) for index in range(2)]
    outputs = [host.communicate(timeout=240)[0] for host in hosts]
    assert [host.returncode for host in hosts] == [0, 0], outputs
    record = json.loads(Path(fn_args.model_run_dir, "training.json").read_text())
    assert (record["strategy"]["replicas"], record["strategy"]["hosts"]) == (2, 2)
    assert record["batch_size"] == 256
    assert record["epochs"][-1]["val_auc"] > 0.7
    reference = np.load(Path(fn_args.model_run_dir, "reference_scores.npz"))
    signature = tf.saved_model.load(fn_args.serving_model_dir).signatures["score_features"]
    scores = signature(tf.constant(reference["features"]))["signal_probability"]
    np.testing.assert_allclose(scores, reference["signal_probability"], atol=1e-6)


def start_host(fn_args, addresses, index):
    cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
    return subprocess.Popen(
        [sys.executable, SCRIPT, json.dumps(vars(fn_args))],
        env={**os.environ, "TF_CONFIG": json.dumps(cluster)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_host_that_waits_in_vain_says_for_what(tmp_path):
    with pytest.raises(TimeoutError, match=r"no model at .*/none after 0 s: see the first host"):
        wait_for(f"{tmp_path}/none", seconds=0)
    (tmp_path / "model.partial").mkdir()
    (tmp_path / "model").mkdir()
    with pytest.raises(TimeoutError, match="no model at"):
        wait_for(f"{tmp_path}/model", seconds=0)
    (tmp_path / "model.partial").rmdir()
    wait_for(f"{tmp_path}/model", seconds=0)
