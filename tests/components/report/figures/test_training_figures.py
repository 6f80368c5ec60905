import math

import numpy as np

from components.report.figures.training_figures import history, learning_rate
from formats.training_record import parse_training

EPOCHS = [
    {"epoch": 1, "loss": 0.6, "val_loss": 0.5, "learning_rate": 0.002},
    {"epoch": 2, "loss": math.nan, "val_loss": 0.4, "learning_rate": 0.001},
    {"epoch": 3, "loss": 0.4, "learning_rate": 0.0},
]


def test_history_is_that_of_training_and_validation():
    training = parse_training({"epochs": EPOCHS, "epoch_kept": 2})
    axes = history(training, "loss", "loss (nats)").axes[0]
    train, validation, kept = (line.get_xydata() for line in axes.lines)
    np.testing.assert_array_equal(train, [[1, 0.6], [2, math.nan], [3, 0.4]])
    np.testing.assert_array_equal(validation, [[1, 0.5], [2, 0.4]])
    assert kept[:, 0].tolist() == [2, 2]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["train", "validation", "epoch kept"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "loss (nats)")


def test_epoch_that_nobody_kept_is_not_drawn():
    axes = history(parse_training({"epochs": EPOCHS}), "loss", "loss").axes[0]
    assert len(axes.lines) == 2


def test_learning_rate_is_in_thousandths_from_zero():
    axes = learning_rate(parse_training({"epochs": EPOCHS})).axes[0]
    assert axes.lines[0].get_xydata().tolist() == [[1, 0.002], [2, 0.001], [3, 0.0]]
    assert axes.get_ylim()[0] == 0
    assert axes.yaxis.get_major_formatter()(0.0015) == "1.5"
