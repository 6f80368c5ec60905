"""Results that do not depend on the order in which an engine processes and merges its bundles."""

from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
from tfx.components.statistics_gen import stats_artifact_utils

from benchmarks import single_node
from formats import examples as parquet_examples
from formats import histograms
from formats.names import EXAMPLE_GEN, HISTOGRAM_GEN, STATISTICS_GEN
from models.row_groups import ParquetSource
from models.training.event_survey import survey
from pipeline.sample_data import monte_carlo
from pipeline.sample_data.shard_writer import write_dataset

EVENTS = 40_000

pytestmark = pytest.mark.slow


def in_order_of(seed):
    """Beam's Reshuffle, with the elements in an order of their own for each seed."""

    def permuted(elements):
        elements = sorted(elements, key=repr)
        return [elements[i] for i in np.random.default_rng(seed).permutation(len(elements))]

    class PermutedReshuffle(beam.PTransform):
        def expand(self, elements):
            return (
                elements
                | beam.Map(lambda element: (None, element))
                | beam.GroupByKey()
                | beam.FlatMapTuple(lambda _, values: permuted(values))
            )

    return PermutedReshuffle


@pytest.fixture(scope="module")
def two_orders(tmp_path_factory):
    """The folders and outputs of the data nodes, whose bundles came in two orders."""
    folder = tmp_path_factory.mktemp("orders")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet_examples, "ROW_GROUP_EVENTS", 1_000)
        splits = monte_carlo.generate(EVENTS, 0), monte_carlo.generate(1_000, 1)
        write_dataset(folder / "data", *splits, shard_size=8_000)
        results = []
        for seed in (1, 2):
            patch.setattr(beam, "Reshuffle", in_order_of(seed))
            results.append(run_data_nodes(folder / "data", folder / str(seed)))
    return results


def run_data_nodes(data, folder):
    nodes = single_node.our_nodes(data, folder)
    examples = single_node.execute(nodes[EXAMPLE_GEN], {}, folder / "shards")["examples"]
    inputs = {"examples": examples}
    inputs |= single_node.execute(nodes[STATISTICS_GEN], inputs, folder)
    return inputs | single_node.execute(nodes[HISTOGRAM_GEN], inputs, folder)


def files(artifact):
    folder = Path(artifact.uri)
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def quantiles(statistics):
    dataset = stats_artifact_utils.load_statistics(statistics, "train").proto().datasets[0]
    assert dataset.num_examples == EVENTS
    return [
        [bucket.high_value for bucket in feature.num_stats.histograms[1].buckets]
        for feature in dataset.features
    ]


def test_the_order_changes_the_quantiles_of_the_statistics(two_orders):
    first, second = (quantiles(result["statistics"]) for result in two_orders)
    assert first != second


def test_ingestion_writes_the_same_files(two_orders):
    first, second = (files(result["examples"]) for result in two_orders)
    assert any(name.endswith(".parquet") for name in first)
    assert first == second


def test_histograms_have_the_same_bins_and_counts(two_orders):
    first, second = (files(result["histograms"]) for result in two_orders)
    assert first == second
    train = histograms.from_json(first[histograms.FILE_NAME].decode())["train"]
    assert {histogram.counts.sum() for histogram in train.features.values()} == {EVENTS}


def test_the_trainer_reads_the_same_events_in_the_same_order(two_orders):
    first, second = (
        survey(ParquetSource([f"{result['examples'].uri}/Split-train/*"]), 0.1)
        for result in two_orders
    )
    assert first.fingerprint == second.fingerprint
    assert first.train.pieces == second.train.pieces
    for part in ("sample", "validation"):
        for values in ("features", "labels"):
            one, other = (getattr(getattr(splits, part), values) for splits in (first, second))
            np.testing.assert_array_equal(one, other)
