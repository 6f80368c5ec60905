import json

from components.report.training import parse_training, read_training


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
