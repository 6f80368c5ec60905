"""The graph: its nodes, and what its shape guarantees."""

import json
from typing import get_args

import pytest
from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from formats.published.shards import SHARDS
from pipeline.config import BeamNode, Config
from pipeline.evaluation_graph import create_evaluation_pipeline
from pipeline.graph import create_pipeline

BEAM, BEAM_OF_NODE = "--parallelism=1", "--parallelism=2"


def graph(**values):
    config = Config(
        **{"data_root": "/data", "root": "/root", "ingestion": {"layout": "folders"}, **values}
    )
    pipeline = create_pipeline(config)
    return pipeline, {node.id: node for node in pipeline.components}


@pytest.mark.slow
def test_nodes_of_a_local_run():
    _, nodes = graph()
    assert sorted(nodes) == sorted(
        [
            "CollisionExampleGen",
            "ImportSchemaGen",
            "StatisticsGen",
            "SchemaGen",
            "ExampleValidator",
            "DataGate",
            "Trainer",
            "Baseline",
            "Evaluator",
            "HistogramGen",
            "ServingCheck",
            "Pusher",
        ]
    )


@pytest.mark.slow
def test_training_waits_for_the_data_gate():
    _, nodes = graph()
    assert nodes["DataGate"] in nodes["Trainer"].upstream_nodes


@pytest.mark.slow
def test_pusher_needs_both_blessings_and_what_the_provenance_says():
    _, nodes = graph()
    assert {node.id for node in nodes["Pusher"].upstream_nodes} == {
        "ImportSchemaGen",
        "HistogramGen",
        "DataGate",
        "Trainer",
        "Evaluator",
        "ServingCheck",
    }
    assert nodes["Pusher"].exec_properties["pipeline"] == "higgs"


@pytest.mark.slow
def test_the_baseline_is_the_model_in_service_whoever_pushed_it():
    _, nodes = graph(push={"directory": "/push"}, evaluation={"damaged_baseline": "ignore"})
    baseline = nodes["Baseline"]
    assert baseline.exec_properties["push_directory"] == "/push"
    assert baseline.exec_properties["when_damaged"] == "ignore"
    assert {node.id for node in baseline.upstream_nodes} == {"Trainer"}
    assert baseline in nodes["Evaluator"].upstream_nodes


@pytest.mark.slow
def test_paths_caching_and_beam_come_from_the_config():
    pipeline, nodes = graph(beam={"args": ["--runner=FlinkRunner"]}, push={"directory": "/push"})
    assert pipeline.pipeline_info.pipeline_name == "higgs"
    assert pipeline.pipeline_info.pipeline_root == "/root/artifacts"
    assert pipeline.enable_cache
    assert pipeline.beam_pipeline_args == ["--runner=FlinkRunner"]
    destination = json.loads(nodes["Pusher"].exec_properties["push_destination"])
    assert destination["filesystem"]["base_directory"] == "/push"


@pytest.mark.slow
@pytest.mark.parametrize("node", get_args(BeamNode))
def test_every_beam_node_takes_options_of_its_own_and_they_come_last(node):
    options = {"score": {"data_root": "/new"}, "ingestion": {"layout": "folders-with-test"}}
    _, nodes = graph(**options, beam={"args": [BEAM], "nodes": {node: [BEAM_OF_NODE]}})
    for name in get_args(BeamNode):
        options = list(nodes[name].executor_spec.beam_pipeline_args)
        assert options == ([BEAM, BEAM_OF_NODE] if name == node else [BEAM])


@pytest.mark.slow
def test_beam_nodes_are_those_that_run_on_beam():
    _, nodes = graph(score={"data_root": "/new"}, ingestion={"layout": "folders-with-test"})
    on_beam = {name for name, node in nodes.items() if isinstance(node, BaseBeamComponent)}
    assert on_beam == set(get_args(BeamNode))


@pytest.mark.slow
def test_the_trainer_gets_the_hyperparameters_and_the_seed():
    _, nodes = graph(seed=5, trainer={"preset": "kaggle", "epochs": 2})
    custom = json.loads(nodes["Trainer"].exec_properties["custom_config"])
    assert custom["seed"] == 5
    assert custom["checkpoint_root"] == "/root/checkpoints"
    assert custom["hyperparameters"]["units"] == 2048
    assert custom["hyperparameters"]["epochs"] == 2
    assert nodes["Trainer"].exec_properties["run_fn"] == "models.trainer.run_fn"


@pytest.mark.slow
def test_warm_start_is_optional():
    _, cold = graph()
    assert "base_model" not in cold["Trainer"].inputs
    _, warm = graph(trainer={"warm_start": True})
    assert set(warm) - set(cold) == {"WarmStart"}
    assert warm["Trainer"].inputs["base_model"].producer_component_id == "WarmStart"
    # It is not a hyperparameter.
    assert (
        warm["Trainer"].exec_properties["custom_config"]
        == cold["Trainer"].exec_properties["custom_config"]
    )


@pytest.mark.slow
def test_a_fresh_set_is_scored_by_the_model_in_service_after_the_push():
    _, without = graph()
    score = {"data_root": "/new", "columns": ["weight"], "id": "event", "flag_invalid": True}
    _, nodes = graph(score=score, push={"directory": "/push"})
    assert set(nodes) - set(without) == {"ServedModel", "Scorer"}
    assert nodes["Pusher"] in nodes["ServedModel"].upstream_nodes
    assert nodes["ServedModel"].exec_properties["push_directory"] == "/push"
    scorer = nodes["Scorer"]
    assert {node.id for node in scorer.upstream_nodes} == {"ServedModel"}
    assert scorer.exec_properties == {
        "data_root": "/new",
        "reader": "pipeline.intake.scored_rows.file_rows",
        "columns": '["weight"]',
        "id_column": "event",
        "flag_invalid": 1,
    }
    assert any("--code_version" in flag for flag in scorer.executor_spec.extra_flags)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layout", "inputs", "outputs"),
    [
        ("folders", {"train": f"training/{SHARDS}", "eval": f"validation/{SHARDS}"}, {}),
        (
            "folders-with-test",
            {
                "train": f"training/{SHARDS}",
                "eval": f"validation/{SHARDS}",
                "test": f"test/{SHARDS}",
            },
            {},
        ),
        ("single", {"all": SHARDS}, {"train": 3, "eval": 1}),
    ],
)
def test_splits_of_each_layout(layout, inputs, outputs):
    _, nodes = graph(ingestion={"layout": layout, "train_buckets": 3})
    properties = nodes["CollisionExampleGen"].exec_properties
    splits = json.loads(properties["input_config"])["splits"]
    assert {split["name"]: split["pattern"] for split in splits} == inputs
    hashed = json.loads(properties["output_config"]).get("split_config", {}).get("splits", [])
    assert {split["name"]: split["hash_buckets"] for split in hashed} == outputs


@pytest.mark.slow
def test_nothing_depends_on_the_evaluation_of_the_test_set():
    _, nodes = graph(ingestion={"layout": "folders-with-test"})
    test = nodes["TestEvaluator"]
    assert json.loads(test.exec_properties["example_splits"]) == ["test"]
    assert "value_threshold" not in test.exec_properties["eval_config"]
    assert not test.downstream_nodes
    assert not json.loads(nodes["Evaluator"].exec_properties["example_splits"])
    _, without = graph()
    assert set(nodes) - set(without) == {"TestEvaluator"}


@pytest.mark.slow
def test_ingestion_gets_the_content_key_and_the_ignored_keys():
    config = Config(
        data_root="/data",
        root="/root",
        ingestion={"layout": "single", "ignore_keys": ["weight"], "max_duplicate_share": 0.25},
    )
    pipeline = create_pipeline(config, content_key="sha256:12")
    nodes = {node.id: node for node in pipeline.components}
    ingestion = nodes["CollisionExampleGen"].exec_properties
    assert (ingestion["content_key"], ingestion["ignored_keys"]) == ("sha256:12", '["weight"]')
    assert nodes["DataGate"].exec_properties["max_duplicate_share"] == 0.25


@pytest.mark.slow
def test_an_evaluation_has_the_gate_of_a_run(tmp_path):
    metadata = sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite"))
    evaluation = create_evaluation_pipeline("/model", "/data", "/root", metadata)
    [gate] = [node for node in evaluation.components if node.id == "DataGate"]
    assert gate.exec_properties == graph()[1]["DataGate"].exec_properties
