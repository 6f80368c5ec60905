"""The nodes on an embedded Flink compared with the in-memory default, on the same 20,000 events."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from event_makers import make_published_events
from google.protobuf.json_format import MessageToDict
from pyarrow import dataset
from score_models import expected_scores, write_onnx
from shard_makers import write_shards
from tfx.components.statistics_gen import stats_artifact_utils

from benchmarks import single_node
from benchmarks.evaluation_agreement import read_numbers
from formats import histograms
from formats.features import COLUMNS
from formats.names import EVALUATOR, EXAMPLE_GEN, HISTOGRAM_GEN, STATISTICS_GEN, events_property
from models.row_groups import ParquetSource
from pipeline.cli.score_command import score
from pipeline.sample_data import monte_carlo
from pipeline.sample_data.shard_writer import write_dataset

SPLITS = {"train": 18_000, "eval": 2_000}

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    # TFMA divides by zero where no event passes a threshold.
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    # Beam's workers in this process complain when the job server hangs up.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.fixture(scope="module")
def outputs(flink, engine_model, tmp_path_factory):
    """The outputs of the four nodes by key: in memory, and on Flink."""
    folder = tmp_path_factory.mktemp("outputs")
    splits = (monte_carlo.generate(events, seed) for seed, events in enumerate(SPLITS.values()))
    write_dataset(folder / "data", *splits, shard_size=4_000)
    return {
        name: run_nodes(folder / "data", folder / name, engine_model, options)
        for name, options in (("memory", []), ("flink", flink.options))
    }


def run_nodes(data, folder, model, beam_args):
    nodes = single_node.our_nodes(data, folder)
    results = {}
    for node, inputs in (
        (EXAMPLE_GEN, []),
        (STATISTICS_GEN, ["examples"]),
        (HISTOGRAM_GEN, ["examples", "statistics"]),
    ):
        given = {key: results[key] for key in inputs}
        results |= single_node.execute(nodes[node], given, folder, beam_args)
    given = {"examples": results["examples"], "model": model}
    given["schema"] = single_node.reviewed_schema()
    return results | single_node.execute(nodes[EVALUATOR], given, folder, beam_args)


def test_the_examples_are_the_same_files(outputs):
    files = [
        {
            str(path.relative_to(result["examples"].uri)): path.read_bytes()
            for path in Path(result["examples"].uri).rglob("*")
            if path.is_file()
        }
        for result in outputs.values()
    ]
    assert sum(name.endswith(".parquet") for name in files[0]) == 6
    assert files[0] == files[1]
    for split, events in SPLITS.items():
        for result in outputs.values():
            assert result["examples"].get_int_custom_property(events_property(split)) == events


def numbers_of(result, split):
    """The statistics by column, without what follows from the sketches of the quantiles."""
    statistics = stats_artifact_utils.load_statistics(result["statistics"], split)
    dataset = statistics.proto().datasets[0]
    assert dataset.num_examples == SPLITS[split]
    columns = {}
    for feature in dataset.features:
        values = MessageToDict(feature)
        del (
            values["numStats"]["histograms"],
            values["numStats"]["commonStats"]["numValuesHistogram"],
        )
        values["numStats"].pop("median", None)
        columns[feature.path.step[0]] = dict(leaves(values))
    return columns


def leaves(value, path=()):
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(child, (*path, key))
    else:
        yield path, value


@pytest.mark.parametrize("split", SPLITS)
def test_the_statistics_are_the_same(outputs, split):
    memory, flink = (numbers_of(result, split) for result in outputs.values())
    assert sorted(memory) == sorted(flink) == sorted(COLUMNS)
    for name in COLUMNS:
        assert len(memory[name]) > 8
        assert flink[name] == pytest.approx(memory[name], rel=1e-9, abs=1e-9), name


@pytest.mark.parametrize("split", SPLITS)
def test_quantiles_are_within_the_error_of_the_sketch(outputs, split):
    for result in outputs.values():
        source = ParquetSource([f"{result['examples'].uri}/Split-{split}/*"])
        groups = [source.read(group) for group in range(len(source.counts))]
        rows = np.concatenate([np.column_stack([part.labels, part.features]) for part in groups])
        exact = dict(zip(COLUMNS, rows.T, strict=True))
        statistics = stats_artifact_utils.load_statistics(result["statistics"], split)
        for feature in statistics.proto().datasets[0].features:
            values = np.sort(exact[feature.path.step[0]])
            edges = [b.high_value for b in feature.num_stats.histograms[1].buckets[:-1]]
            ranks = np.arange(1, len(edges) + 1) / (len(edges) + 1) * len(values)
            first, last = (np.searchsorted(values, edges, side) for side in ("left", "right"))
            error = np.maximum(np.maximum(first - ranks, ranks - last), 0) / len(values)
            assert error.max() <= 0.01


def test_the_histograms_are_the_same(outputs):
    texts = [
        (Path(result["histograms"].uri) / histograms.FILE_NAME).read_text()
        for result in outputs.values()
    ]
    assert texts[0] == texts[1]
    for split, content in histograms.from_json(texts[1]).items():
        totals = {histogram.counts.sum() for histogram in content.features.values()}
        assert totals == {SPLITS[split]}


def test_all_metrics_of_the_same_model_are_the_same(outputs):
    memory, flink = (
        read_numbers(Path(result["evaluation"].uri).parent) for result in outputs.values()
    )
    assert memory["metrics", "overall", "example_count"] == SPLITS["eval"]
    assert sum(key[0] == "metrics" for key in memory) >= 100
    assert flink == pytest.approx(memory, rel=1e-9, abs=1e-9, nan_ok=True)


def test_events_are_scored(flink, tmp_path):
    events = make_published_events(60, seed=2)
    write_onnx(tmp_path / "m.onnx")
    write_shards(tmp_path / "shards", events, [20, 40])
    config = tmp_path / "flink.yaml"
    config.write_text(f"data_root: d\nroot: r\nbeam:\n  args: [{', '.join(flink.options)}]\n")
    words = ["--model", tmp_path / "m.onnx", "--input", tmp_path / "shards", "--config", config]
    result = CliRunner().invoke(score, [*map(str, words), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    table = dataset.dataset(tmp_path / "out").to_table()
    np.testing.assert_allclose(
        table["signal_probability"], expected_scores(events.features), rtol=1e-5
    )
