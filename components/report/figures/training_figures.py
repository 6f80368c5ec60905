"""Figures of a training: metrics and learning rate by epoch."""

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from components.report.figures import figure_style as style
from formats.training_record import TrainingRecord


def has_metric(training: TrainingRecord, name: str) -> bool:
    """Returns whether any epoch has a metric."""
    return any(name in epoch for epoch in training.epochs)


def metric_by_epoch(training: TrainingRecord, metric: str, label: str) -> Figure:
    """Draws a metric of training and validation by epoch, and the epoch that was kept."""
    figure, axes = style.new_axes()
    lines = (
        (metric, "train", {"color": style.BASELINE, "ls": style.DASHED, "marker": "s"}),
        (f"val_{metric}", "validation", {"color": style.CANDIDATE, "ls": "-", "marker": "o"}),
    )
    for key, name, line in lines:
        points = [(epoch["epoch"], epoch[key]) for epoch in training.epochs if key in epoch]
        if points:
            axes.plot(*zip(*points, strict=True), lw=1.4, ms=3, label=name, **line)
    axes.axvline(training.epoch_kept, color=style.ACCENT, lw=1, ls=style.DOTTED, label="epoch kept")
    axes.set(xlabel="epoch", ylabel=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="best")
    return figure


def learning_rate(training: TrainingRecord) -> Figure:
    """Draws the learning rate at the end of each epoch."""
    figure, axes = style.new_axes()
    epochs = [epoch for epoch in training.epochs if "learning_rate" in epoch]
    axes.step(
        [epoch["epoch"] for epoch in epochs],
        [epoch["learning_rate"] for epoch in epochs],
        where="mid",
        color=style.CANDIDATE,
        lw=1.4,
        marker="o",
        ms=3,
    )
    # From 0, where a cosine schedule ends.
    axes.set(xlabel="epoch", ylabel="learning rate / 10⁻³", ylim=(0, None))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{1000 * rate:g}"))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure
