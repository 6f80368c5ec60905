"""The Trainer learns nothing from the splits that test its model: real ingestion and training."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from benchmarks import generated_events
from benchmarks.single_node import execute, reviewed_schema
from formats import names
from formats.published.record import Events, encode_events, read_events
from pipeline.config import Config
from pipeline.graph import create_pipeline

JUDGES = {"eval": "validation", "test": "test"}
"""The splits that judge a model, with their folders."""

# The least that trains a network and grows trees, and stops early by its validation events.
TINY = {
    "preset": "demo",
    "derived_columns": False,
    "trees": 3,
    "buckets": 4,
    "units": 8,
    "blocks": 1,
    "epochs": 2,
    "early_stopping_patience": 1,
    "batch_size_per_replica": 128,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Examples and models of the same data, as it is and with permuted labels of the judges."""
    data = tmp_path_factory.mktemp("data")
    generated_events.write_shards(data, num_train=1_000, num_eval=300)
    shutil.copytree(data / "validation", data / "test")
    permuted = shutil.copytree(data, tmp_path_factory.mktemp("permuted") / "data")
    for folder in JUDGES.values():
        for shard in (permuted / folder).glob("*.tfrecord"):
            permute_labels(shard)
    return {
        name: ingest_and_train(folder, tmp_path_factory.mktemp(name))
        for name, folder in (("as it is", data), ("permuted", permuted))
    }


def permute_labels(shard):
    with shard.open("rb") as stream:
        (events,) = read_events(stream, str(shard))
    labels = np.random.default_rng(1).permutation(events.labels)
    shard.write_bytes(encode_events(Events(events.features, labels)))


def ingest_and_train(data, folder):
    """Runs the executors of ingestion and Trainer as the graph configures them."""
    config = Config(
        data_root=str(data),
        root=str(folder / "root"),
        ingestion={"layout": "folders-with-test"},
        trainer=TINY,
    )
    nodes = {node.id: node for node in create_pipeline(config).components}
    examples = execute(nodes[names.EXAMPLE_GEN], {}, folder)["examples"]
    inputs = {"examples": examples, "schema": reviewed_schema()}
    outputs = execute(nodes[names.TRAINER], inputs, folder)
    model, model_run = (Path(outputs[key].uri) for key in ("model", "model_run"))
    return Path(examples.uri), model / "Format-Serving", model_run


def labels(examples, split):
    return pq.read_table(examples / f"Split-{split}")["label"].combine_chunks().flatten().to_numpy()


@pytest.mark.parametrize("split", JUDGES)
def test_labels_of_the_judging_splits_were_permuted(trained, split):
    before, after = (labels(examples, split) for examples, *_ in trained.values())
    assert before.sum() == after.sum()
    assert np.mean(before != after) > 0.3


def test_the_model_does_not_depend_on_the_splits_that_judge_it(trained):
    first, second = (
        tf.train.load_checkpoint(str(model / "variables" / "variables"))
        for _, model, _ in trained.values()
    )
    shapes = first.get_variable_to_shape_map()
    assert any("dense_1:kernel" in name for name in shapes)
    assert any("leaves:weight" in name for name in shapes)
    for name in shapes:
        if "CHECKPOINTABLE" not in name:
            np.testing.assert_array_equal(
                first.get_tensor(name), second.get_tensor(name), err_msg=name
            )
    # What was chosen with the validation events, which are a part of train.
    records = [json.loads((run / "training.json").read_text()) for *_, run in trained.values()]
    assert [record["refit"]["events"] for record in records] == [1000, 1000]
    for choice in ("epoch_kept", "blend"):
        assert records[0][choice] == records[1][choice]
    losses = [[epoch["val_loss"] for epoch in record["epochs"]] for record in records]
    assert losses[0] == losses[1]
