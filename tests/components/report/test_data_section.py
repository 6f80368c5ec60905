"""The data of a run, from files as TFDV and HistogramGen write them."""

import json

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from components.report import data_section
from components.report.report_data import read_report
from formats import names
from formats.run_outcome import NodeRun, Output, RunOutcome

STATISTICS = "statistics/Split-train/FeatureStats.pb"
ANOMALIES = "anomalies/Split-train/SchemaDiff.pb"


def test_split_is_described_from_its_files(make, run_folder):
    outcome = make.run(run_folder)
    statistics = data_section.read_statistics(outcome.uri(names.STATISTICS), "train")
    problems = data_section.read_problems(outcome, "train", 400, statistics)
    histograms = data_section.read_histograms(outcome.uri(names.HISTOGRAMS))["train"]
    split = data_section.describe_split("train", 400, statistics, problems, histograms)
    assert (split.name, split.events, split.signal, split.problems) == ("train", 400, 200, ())
    assert sorted(split.features) == ["jet_1_b_tag", "m_bb"]
    mass, b_tag = split.features["m_bb"], split.features["jet_1_b_tag"]
    assert mass.mean == pytest.approx(1.0, abs=0.05)
    assert mass.std_dev == pytest.approx(0.3, abs=0.05)
    assert mass.min < mass.median < mass.max
    assert (mass.num_zeros, data_section.count_missing(mass)) == (0, 0)
    assert b_tag.num_zeros == split.histograms["jet_1_b_tag"].counts[:, 1].sum()
    assert split.histograms["m_bb"].counts.sum() == 400
    assert len(split.fingerprint) == 16


def test_only_the_events_are_known_after_ingestion():
    examples = Output("/examples", {names.events_property("train"): 7})
    node = NodeRun(names.EXAMPLE_GEN, "done", 1.0, {names.EXAMPLES.key: examples})
    outcome = RunOutcome("r", {names.EXAMPLE_GEN: node})
    (split,) = read_report(outcome).splits
    assert split == data_section.Split("train", 7, None, {}, None, {}, "")
    statistics = statistics_pb2.DatasetFeatureStatistics()
    assert data_section.read_problems(outcome, "train", 7, statistics) is None


def test_problems_are_those_of_data_gate(make, run_folder):
    outcome = make.run(run_folder)
    anomalies = anomalies_pb2.Anomalies()
    anomalies.anomaly_info["m_bb"].description = "Column dropped"
    (run_folder / ANOMALIES).write_bytes(anomalies.SerializeToString())
    statistics = data_section.read_statistics(outcome.uri(names.STATISTICS), "train")
    (problem,) = data_section.read_problems(outcome, "train", 400, statistics)
    assert problem.startswith("train: m_bb: Column dropped. Seen: 400 events")
    count_problem, _ = data_section.read_problems(outcome, "train", 410, statistics)
    assert "ingestion wrote 410 events, the statistics counted 400" in count_problem


def test_invalid_values_are_problems(make, run_folder):
    invalid = json.dumps({"jet_1_b_tag": {"events": 3, "such_as": 0.5}})
    outcome = make.run(
        run_folder, {names.EXAMPLES: {names.invalid_values_property("train"): invalid}}
    )
    statistics = data_section.read_statistics(outcome.uri(names.STATISTICS), "train")
    (problem,) = data_section.read_problems(outcome, "train", 400, statistics)
    assert "3 events have an invalid value, such as 0.5" in problem


def test_columns_without_numeric_statistics_are_left_out():
    statistics = statistics_pb2.DatasetFeatureStatistics()
    statistics.features.add().string_stats.unique = 2
    statistics.features[0].path.step.append("comment")
    statistics.features.add().num_stats.mean = 1.5  # without a name
    label = statistics.features.add()
    label.path.step.append("label")
    label.num_stats.mean = float("nan")
    split = data_section.describe_split("train", 7, statistics, (), None)
    assert split.features == {}
    assert split.signal is None


def test_nan_values_count_as_missing():
    statistics = statistics_pb2.DatasetFeatureStatistics()
    feature = statistics.features.add()
    feature.path.step.append("m_bb")
    feature.num_stats.common_stats.num_missing = 2
    feature.num_stats.histograms.add().num_nan = 3
    split = data_section.describe_split("train", 7, statistics, (), None)
    assert data_section.count_missing(split.features["m_bb"]) == 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"FeatureStats\.pb is empty"),
        (b"\x00\xff<script>", r"FeatureStats\.pb is not a complete DatasetFeatureStatisticsList"),
        (b"\x0a\xff", r"FeatureStats\.pb is not a complete DatasetFeatureStatisticsList"),
        (b"\x1a\x00", r"no statistics in .*FeatureStats\.pb"),
    ],
    ids=["empty", "garbage", "truncated", "other fields"],
)
def test_invalid_statistics_are_named(make, run_folder, content, message):
    (run_folder / STATISTICS).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        data_section.read_statistics(make.run(run_folder).uri(names.STATISTICS), "train")


def test_invalid_anomalies_do_not_count_as_none(make, run_folder):
    outcome = make.run(run_folder)
    statistics = data_section.read_statistics(outcome.uri(names.STATISTICS), "train")
    for content in (b"", b"\x00\xff<script>"):
        (run_folder / ANOMALIES).write_bytes(content)
        with pytest.raises(ValueError, match=r"SchemaDiff\.pb is "):
            data_section.read_problems(outcome, "train", 400, statistics)
