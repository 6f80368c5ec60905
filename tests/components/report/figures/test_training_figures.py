import numpy as np

from components.report.figures.training_figures import has_metric, learning_rate, metric_by_epoch

EPOCHS = [
    {"epoch": 1, "loss": 0.6, "val_loss": 0.5, "learning_rate": 0.002},
    {"epoch": 2, "loss": 0.5, "val_loss": 0.4, "learning_rate": 0.001},
    {"epoch": 3, "loss": 0.4, "learning_rate": 0.0},
]


def test_metric_is_drawn_for_training_and_validation(make):
    training = make.training(epochs=EPOCHS, epoch_kept=2)
    axes = metric_by_epoch(training, "loss", "loss (nats)").axes[0]
    train, validation, kept = (line.get_xydata() for line in axes.lines)
    np.testing.assert_array_equal(train, [[1, 0.6], [2, 0.5], [3, 0.4]])
    np.testing.assert_array_equal(validation, [[1, 0.5], [2, 0.4]])
    assert kept[:, 0].tolist() == [2, 2]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["train", "validation", "epoch kept"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "loss (nats)")


def test_metrics_of_any_epoch_are_found(make):
    training = make.training(epochs=EPOCHS)
    assert has_metric(training, "val_loss")
    assert not has_metric(training, "auc")


def test_learning_rate_is_in_thousandths_from_zero(make):
    axes = learning_rate(make.training(epochs=EPOCHS)).axes[0]
    assert axes.lines[0].get_xydata().tolist() == [[1, 0.002], [2, 0.001], [3, 0.0]]
    assert axes.get_ylim()[0] == 0
    assert axes.yaxis.get_major_formatter()(0.0015) == "1.5"
