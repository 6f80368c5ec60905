"""The data of a run, from files as TFDV and HistogramGen write them."""

import dataclasses
import json

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from components.report import data_section
from formats.run_outcome import NodeRun, Output, RunOutcome


def ingested(**properties):
    output = {"examples": Output("/examples", properties)}
    return RunOutcome("r", {"CollisionExampleGen": NodeRun("g", "done", 1.0, output)})


def test_events_by_split_are_those_that_were_ingested():
    assert data_section.ingested_splits(ingested(events_eval=5, events_train=7)) == {
        "train": 7,
        "eval": 5,
    }
    assert data_section.ingested_splits(ingested(events_eval=5)) == {"eval": 5}
    assert data_section.ingested_splits(ingested(events_train="many")) == {}
    assert data_section.ingested_splits(RunOutcome("", {})) == {}


def test_split_is_described_from_its_files(make, run_folder):
    outcome = make.run(run_folder)
    statistics = data_section.read_statistics(outcome, "train")
    problems = data_section.read_problems(outcome, "train", 400, statistics)
    counted = data_section.read_histograms(outcome)["train"]
    split = data_section.describe_split("train", 400, statistics, problems, counted)
    assert (split.name, split.events, split.signal, split.problems) == ("train", 400, 200, ())
    assert sorted(split.features) == ["jet_1_b_tag", "m_bb"]
    mass, code = split.features["m_bb"], split.features["jet_1_b_tag"]
    assert mass.mean == pytest.approx(1.0, abs=0.05)
    assert mass.spread == pytest.approx(0.3, abs=0.05)
    assert mass.low < mass.median < mass.high
    assert (mass.zeros, mass.missing) == (0, 0)
    assert code.zeros == split.histograms["jet_1_b_tag"].counts[:, 1].sum()
    assert split.histograms["m_bb"].counts.sum() == 400
    assert len(split.fingerprint) == 16


def test_nothing_is_known_of_a_split_that_was_ingested_alone():
    outcome = ingested(events_train=7)
    assert data_section.read_statistics(outcome, "train") is None
    assert data_section.read_histograms(outcome) == {}
    split = data_section.describe_split("train", 7, None, None, None)
    assert split == data_section.Split("train", 7, None, {}, None, {}, "")


def test_problems_are_data_gates_words(make, run_folder):
    outcome = make.run(run_folder)
    found = anomalies_pb2.Anomalies()
    found.anomaly_info["m_bb"].description = "Column dropped"
    file = run_folder / "anomalies" / "Split-train" / "SchemaDiff.pb"
    file.write_bytes(found.SerializeToString())
    statistics = data_section.read_statistics(outcome, "train")
    (problem,) = data_section.read_problems(outcome, "train", 400, statistics)
    assert problem.startswith("train: m_bb: Column dropped. Seen: 400 events")
    lost = data_section.read_problems(outcome, "train", 410, statistics)
    assert "ExampleGen wrote 410 events, the statistics saw 400" in lost[0]


def test_unknown_codes_are_problems(make, run_folder):
    outcome = make.run(run_folder)
    codes = json.dumps({"jet_1_b_tag": {"events": 3, "such_as": 0.5}})
    examples = outcome.nodes["CollisionExampleGen"].outputs["examples"]
    properties = examples.properties | {"unknown_codes_train": codes}
    node = dataclasses.replace(
        outcome.nodes["CollisionExampleGen"], outputs={"examples": Output("", properties)}
    )
    changed = dataclasses.replace(outcome, nodes={**outcome.nodes, "CollisionExampleGen": node})
    statistics = data_section.read_statistics(changed, "train")
    (problem,) = data_section.read_problems(changed, "train", 400, statistics)
    assert "3 events hold a value that is no b-tag code, such as 0.5" in problem


def test_columns_without_numbers_are_left_out():
    statistics = statistics_pb2.DatasetFeatureStatistics()
    statistics.features.add().string_stats.unique = 2
    statistics.features[0].path.step.append("comment")
    statistics.features.add().num_stats.mean = 1.5  # of no column
    label = statistics.features.add()
    label.path.step.append("label")
    label.num_stats.mean = float("nan")
    split = data_section.describe_split("train", 7, statistics, (), None)
    assert split.features == {}
    assert split.signal is None


def test_values_that_are_no_number_are_missing():
    statistics = statistics_pb2.DatasetFeatureStatistics()
    feature = statistics.features.add()
    feature.path.step.append("m_bb")
    feature.num_stats.common_stats.num_missing = 2
    feature.num_stats.histograms.add().num_nan = 3
    split = data_section.describe_split("train", 7, statistics, (), None)
    assert split.features["m_bb"].missing == 5


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", r"Split-train/FeatureStats\.pb is empty"),
        (b"\x00\xff<script>", r"FeatureStats\.pb is no DatasetFeatureStatisticsList, or not whole"),
        (b"\x0a\xff", r"FeatureStats\.pb is no DatasetFeatureStatisticsList, or not whole"),
        (b"\x1a\x00", r"no statistics in .*Split-train/FeatureStats\.pb"),
    ],
    ids=["empty", "another end", "truncated", "other fields"],
)
def test_file_without_statistics_is_named(make, run_folder, content, words):
    (run_folder / "statistics" / "Split-train" / "FeatureStats.pb").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        data_section.read_statistics(make.run(run_folder), "train")


def test_anomalies_that_cannot_be_read_are_not_none(make, run_folder):
    outcome = make.run(run_folder)
    statistics = data_section.read_statistics(outcome, "train")
    for content in (b"", b"\x00\xff<script>"):
        (run_folder / "anomalies" / "Split-train" / "SchemaDiff.pb").write_bytes(content)
        with pytest.raises(ValueError, match=r"SchemaDiff\.pb is "):
            data_section.read_problems(outcome, "train", 400, statistics)
