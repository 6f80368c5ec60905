"""The data plane on real Beam: nothing is lost or duplicated, and TFDV gets the right data."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from tfx.components import StatisticsGen
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.proto.example_gen_pb2 import Output
from tfx.types import Channel
from tfx.types.standard_artifacts import Examples
from tfx.utils import proto_utils

from benchmarks import generated_events, single_node, stock_nodes
from components.example_gen.component import split_folders
from components.example_gen.executor import Executor
from formats.features import COLUMNS
from formats.published.record import Events
from models.row_groups import ParquetSource

EVENTS = 300_000


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    generated_events.write_shards(folder, num_train=EVENTS * 9 // 10, num_eval=EVENTS // 10)
    return folder


@pytest.fixture(scope="module")
def sent():
    return {
        "train": fingerprints(generated_events.training_events(EVENTS * 9 // 10)),
        "eval": fingerprints(generated_events.evaluation_events(EVENTS // 10)),
    }


def fingerprints(events):
    """64 bits of each event, sorted: two sets with equal ones hold the same events."""
    words = np.column_stack([events.labels.ravel(), events.features]).view(np.uint32)
    factors = np.random.default_rng(0).integers(1, 2**63, words.shape[1], dtype=np.uint64)
    return np.sort(words.astype(np.uint64) @ (factors | np.uint64(1)))


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_events_are_read_once_for_any_number_of_workers(shards, sent, tmp_path, workers):
    beam_args = ["--direct_running_mode=multi_threading", f"--direct_num_workers={workers}"]
    examples = Examples()
    examples.uri = str(tmp_path)
    Executor(BaseBeamExecutor.Context(beam_pipeline_args=beam_args)).Do(
        {},
        {"examples": [examples]},
        {
            "input_base": str(shards),
            "input_config": proto_utils.proto_to_json(split_folders()),
            "output_config": proto_utils.proto_to_json(Output()),
        },
    )
    for split, expected in sent.items():
        assert examples.get_int_custom_property(f"events_{split}") == len(expected)
        source = ParquetSource([f"{examples.uri}/Split-{split}/*"])
        parts = [source.read(group) for group in range(len(source.counts))]
        arrived = Events(
            np.concatenate([part.features for part in parts]),
            np.concatenate([part.labels for part in parts]),
        )
        np.testing.assert_array_equal(fingerprints(arrived), expected)


@pytest.fixture(scope="module")
def both_statistics(tmp_path_factory):
    """Statistics of the same 20,000 events by feature: from our Parquet, from tf.Examples."""
    folder = tmp_path_factory.mktemp("statistics")
    shards = generated_events.write_shards(folder / "shards", num_train=20_000, num_eval=1_000)
    ours = single_node.ingest(shards, folder / "ours")
    files = (folder / "ours").rglob("Split-train/*.parquet")
    assert sum(pq.read_metadata(file).num_rows for file in files) == 20_000
    theirs = stock_nodes.write_examples(
        folder / "theirs",
        {
            "train": generated_events.training_events(20_000),
            "eval": generated_events.evaluation_events(1_000),
        },
    )
    ours_node = single_node.our_nodes(shards, folder)["StatisticsGen"]
    their_node = StatisticsGen(examples=Channel(type=Examples))
    return [
        by_name(single_node.execute(node, {"examples": examples}, folder / name)["statistics"])
        for name, node, examples in (
            ("our_node", ours_node, ours),
            ("their_node", their_node, theirs),
        )
    ]


def by_name(artifact):
    dataset = stats_artifact_utils.load_statistics(artifact, "train").proto().datasets[0]
    assert dataset.num_examples == 20_000
    return {feature.path.step[0]: feature for feature in dataset.features}


def test_statistics_of_parquet_are_those_of_tf_examples(both_statistics):
    ours, theirs = both_statistics
    assert sorted(ours) == sorted(theirs) == sorted(COLUMNS)
    for name in COLUMNS:
        mine, stocks = ours[name].num_stats, theirs[name].num_stats
        assert ours[name].type == theirs[name].type
        assert mine.common_stats.num_non_missing == stocks.common_stats.num_non_missing == 20_000
        assert mine.common_stats.num_missing == stocks.common_stats.num_missing
        assert mine.common_stats.tot_num_values == stocks.common_stats.tot_num_values
        assert (mine.num_zeros, mine.min, mine.max) == (stocks.num_zeros, stocks.min, stocks.max)
        assert mine.mean == pytest.approx(stocks.mean, rel=1e-9, abs=1e-9)
        assert mine.std_dev == pytest.approx(stocks.std_dev, rel=1e-9)


def test_quantiles_of_parquet_are_those_of_tf_examples_to_the_sketchs_tolerance(both_statistics):
    ours, theirs = both_statistics
    values = generated_events.training_events(20_000)
    for column, name in enumerate(COLUMNS):
        exact = np.sort(values.labels if column == 0 else values.features[:, column - 1])
        for feature in (ours[name], theirs[name]):
            edges = [b.high_value for b in feature.num_stats.histograms[1].buckets[:-1]]
            ranks = np.arange(1, len(edges) + 1) / (len(edges) + 1) * len(exact)
            # A value that repeats, as a b-tag does, has a range of ranks.
            first, last = (np.searchsorted(exact, edges, side) for side in ("left", "right"))
            error = np.maximum(np.maximum(first - ranks, ranks - last), 0) / len(exact)
            assert error.max() <= 0.01
