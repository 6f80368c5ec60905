"""The event counts that run_fn gets; complete trainings are in tests/models and tests/e2e."""

import json

import pytest
from tfx.components.trainer import executor as stock
from tfx.types.standard_artifacts import Examples

from components.trainer.executor import Executor, with_ingested_events


@pytest.fixture
def examples():
    examples = Examples()
    examples.split_names = '["train", "eval"]'
    examples.set_int_custom_property("events_train", 4800)
    examples.set_int_custom_property("events_eval", 1200)
    return {"examples": [examples]}


def test_the_numbers_of_ingestion_are_added_to_the_parameters(examples):
    properties = {"run_fn": "f", "custom_config": json.dumps({"seed": 1})}
    changed = with_ingested_events(examples, properties)
    assert json.loads(changed["custom_config"]) == {
        "seed": 1,
        "ingested_events": {"train": 4800, "eval": 1200},
    }
    assert changed["run_fn"] == "f"
    # The parameters are the node's, and part of its cache key.
    assert json.loads(properties["custom_config"]) == {"seed": 1}


def test_run_fn_is_called_with_them(examples, monkeypatch):
    seen = []
    monkeypatch.setattr(stock.GenericExecutor, "Do", lambda *arguments: seen.append(arguments[-1]))
    Executor().Do(examples, {}, {"custom_config": "{}"})
    assert json.loads(seen[0]["custom_config"])["ingested_events"]["train"] == 4800
