import subprocess
import sys

import pytest
import yaml
from pydantic import StrictInt, ValidationError

from formats.hyperparameters import PRESETS, Hyperparameters, Number, resolve
from tools.configuration_table import field_meanings


def test_the_kaggle_preset_has_the_values_of_the_notebook():
    notebook = {
        "units": 2048,
        "blocks": 5,
        "activation": "relu",
        "dropout": 0.1,
        "batch_size_per_replica": 2048,
        "epochs": 50,
        "learning_rate": 1e-3,
        "early_stopping_patience": 2,
        "early_stopping_min_delta": 1e-3,
        "schedule": "plateau",
        "plateau_factor": 0.2,
        "plateau_patience": 0,
        "min_learning_rate": 1e-3,
    }
    absent = {
        "refit_events": 0,
        "derived_columns": False,
        "buckets": 0,
        "trees": 0,
        "input_dropout": 0.0,
        "weight_decay": 0.0,
        "learning_rate_batch": None,
    }
    assert resolve("kaggle").model_dump(include={*notebook, *absent}) == notebook | absent


def test_the_default_preset_changes_nothing():
    assert resolve("default") == Hyperparameters()


def test_presets_list_only_differences():
    defaults = Hyperparameters().model_dump()
    for changes in PRESETS.values():
        assert all(defaults[name] != value for name, value in changes.items())


def test_overrides_take_precedence_over_the_preset():
    assert resolve("demo", units=16, epochs=2) == resolve("demo").model_copy(
        update={"units": 16, "epochs": 2}
    )


def test_an_unknown_preset_is_rejected_with_the_known_ones():
    with pytest.raises(ValueError, match="no preset 'tiny': choose one of default, demo, kaggle"):
        resolve("tiny")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("units", 0),
        ("buckets", -1),
        ("trees", -1),
        ("tree_depth", 9),
        ("tree_learning_rate", 0),
        ("precision", "float64"),
        ("schedule", "step"),
        ("weight_decay", -0.1),
        ("profile_steps", -1),
        ("blocks", 0),
        ("activation", "softmax"),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("batch_size_per_replica", 0),
        ("epochs", 0),
        ("steps_per_execution", 0),
        ("learning_rate", 0),
        ("early_stopping_patience", -1),
        ("plateau_factor", 1),
        ("unit", 8),
    ],
)
def test_a_value_out_of_bounds_is_rejected_by_name(name, value):
    with pytest.raises(ValidationError, match=rf"(?m)^{name}$"):
        resolve("default", **{name: value})


FIELDS = Hyperparameters.model_fields
# Some may be null and then follow the number of events.
INTEGERS = [name for name, field in FIELDS.items() if field.annotation in (int, StrictInt | None)]
NUMBERS = [name for name, field in FIELDS.items() if field.annotation in (float, Number | None)]
CHOICES = ["activation", "precision", "schedule", "derived_columns"]


@pytest.mark.parametrize("value", ["true", "3.0", "'3'", ".inf"])
@pytest.mark.parametrize("name", INTEGERS)
def test_an_integer_accepts_only_integers(name, value):
    with pytest.raises(ValidationError, match=rf"(?m)^{name}$"):
        resolve("default", **{name: yaml.safe_load(value)})


@pytest.mark.parametrize("value", ["true", "false", ".inf", "-.inf", ".nan", "'inf'"])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_finite_and_not_a_boolean(name, value):
    with pytest.raises(ValidationError, match=rf"(?m)^{name}$"):
        resolve("default", **{name: yaml.safe_load(value)})


def test_numbers_are_accepted_as_yaml_reads_them():
    values = yaml.safe_load("{epochs: 3, learning_rate: 1e-3, min_learning_rate: 0, dropout: 0.2}")
    resolved = resolve("default", **values)
    assert (resolved.epochs, resolved.learning_rate, resolved.min_learning_rate) == (3, 1e-3, 0)
    assert sorted([*INTEGERS, *NUMBERS, *CHOICES]) == sorted(FIELDS)


def test_a_minimum_above_the_learning_rate_is_rejected():
    with pytest.raises(ValidationError, match=r"min_learning_rate 0.1 is above learning_rate 0.01"):
        resolve("kaggle", learning_rate=0.01, min_learning_rate=0.1)


def test_the_minimum_does_not_apply_to_the_cosine():
    assert resolve("default", learning_rate=1e-6).learning_rate == 1e-6


def test_every_hyperparameter_is_described():
    meanings = field_meanings(Hyperparameters)
    assert all(meanings[name] for name in Hyperparameters.model_fields)


@pytest.mark.slow
def test_the_import_needs_no_tensorflow():
    code = "import formats.hyperparameters, sys; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
