import json

import pytest
from pydantic import ValidationError
from report_parts import TRAINING

from formats.training_record import TrainingRecord


def test_record_is_read_as_it_was_written(make):
    record = make.training()
    assert TrainingRecord.from_json(record.to_json()) == record


def test_attributes_are_the_keys_of_the_file(make):
    record = make.training()
    assert set(json.loads(record.to_json())) == set(TRAINING)
    assert record.strategy.kind == "tpu"
    assert record.parameters.total == 8565
    assert record.trees.leaves == 2400
    assert record.layers[-1].output_shape == (1,)
    assert record.epochs[1]["val_auc"] == 0.8


def test_model_without_trees_has_no_blend(make):
    record = make.training(trees=None, blend=None)
    assert (record.trees, record.blend) == (None, None)


def test_unknown_keys_are_ignored(make):
    assert make.training(of_the_future="x") == make.training()


def test_a_record_of_an_earlier_release_has_no_packages_and_no_refit():
    content = {name: TRAINING[name] for name in TRAINING.keys() - {"packages", "refit"}}
    record = TrainingRecord.from_json(json.dumps(content))
    assert (record.packages, record.refit) == ({}, None)


@pytest.mark.parametrize(
    "key", [name for name, field in TrainingRecord.model_fields.items() if field.is_required()]
)
def test_every_key_is_required(key):
    content = {name: value for name, value in TRAINING.items() if name != key}
    with pytest.raises(ValidationError, match=f"{key}\n  Field required"):
        TrainingRecord.from_json(json.dumps(content))


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": "x"},
        {"events": {"train": -1}},
        {"epochs": [{"loss": float("nan")}]},
        {"layers": [{"name": "wide"}]},
        {"blend": {"network": 1.0}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_values_of_another_kind_are_rejected(make, changes):
    with pytest.raises(ValidationError):
        make.training(**changes)
