import json
import math

import pytest

from formats.training_record import parse_training, read_training


def test_everything_that_is_written_is_read(make, tmp_path):
    layers = [{"name": "wide", "part": "wide", "kind": "Dense", "output_shape": [None, 1]}]
    content = make.training | {"layers": layers}
    (tmp_path / "training.json").write_text(json.dumps(content))
    training = read_training(str(tmp_path))
    assert training.epoch_kept == 2
    assert training.events_per_second == 12_345
    assert training.parameters["total"] == 329
    (layer,) = training.layers
    assert (layer.name, layer.part, layer.shape, layer.parameters) == ("wide", "wide", "1", 0)


def test_nothing_is_needed():
    training = parse_training({})
    assert training.epoch_kept is None
    assert training.events_per_second is None
    assert (training.epochs, training.layers, training.parameters) == ((), (), {})


def test_rate_that_was_not_written_is_the_median_of_the_epochs():
    epochs = [{"epoch": n, "events_per_second": rate} for n, rate in enumerate((5.0, 100.0, 90.0))]
    assert parse_training({"epochs": epochs}).events_per_second == 90


def test_epochs_are_numbered_by_their_place_where_they_are_not():
    training = parse_training({"epochs": [{"loss": 0.5}, {"epoch": "x", "loss": None}, 3]})
    first, second = training.epochs
    assert first == {"epoch": 1, "loss": 0.5}
    assert second["epoch"] == 2
    assert math.isnan(second["loss"])
    assert training.has_measured("loss")
    assert not training.has_measured("auc")


def test_what_is_of_another_kind_is_named_and_unknown():
    content = {"seed": "x", "trees": 3, "blend": {"network": 0.9, "leaves": "y"}, "layers": None}
    training = parse_training(content | {"of_the_future": "z"})
    assert training.unexpected == ("seed", "trees")
    assert training.facts == {"blend": {"network": 0.9}, "of_the_future": "z"}


@pytest.mark.parametrize("content", [None, [], 3, "x"])
def test_content_without_names_is_refused(content):
    with pytest.raises(ValueError, match=r"training\.json: expected names and values, got "):
        parse_training(content)


def test_rates_that_are_none_are_in_no_median():
    rates = (5.0, math.nan, None, 0.0, 90.0, 80.0)
    epochs = [{"events_per_second": rate} for rate in rates]
    assert parse_training({"epochs": epochs}).events_per_second == 80
