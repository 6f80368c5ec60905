"""The event counts that run_fn gets; complete trainings are in tests/models and tests/e2e."""

import json
from pathlib import Path

import pytest
from tfx.types.standard_artifacts import Examples, Model, ModelRun

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


def keep_settings(fn_args):
    """A `run_fn` that exports what it was given."""
    Path(fn_args.serving_model_dir).mkdir(parents=True)
    Path(fn_args.serving_model_dir, "settings.json").write_text(json.dumps(fn_args.custom_config))


def test_run_fn_is_called_with_them(examples, tmp_path):
    outputs = {key: [kind()] for key, kind in (("model", Model), ("model_run", ModelRun))}
    for key, (artifact,) in outputs.items():
        artifact.uri = str(tmp_path / key)
    properties = {"custom_config": '{"seed": 1}', "run_fn": f"{__name__}.keep_settings"}
    Executor().Do(examples, outputs, {"train_args": "{}", "eval_args": "{}"} | properties)
    settings = json.loads((tmp_path / "model" / "Format-Serving" / "settings.json").read_text())
    assert settings == {"seed": 1, "ingested_events": {"train": 4800, "eval": 1200}}
