"""All figures of a report, as inline SVG with captions."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from components.report.feature_labels import words
from components.report.figures import (
    evaluation_figures,
    feature_figures,
    network_figure,
    training_figures,
)
from components.report.figures.figure_style import to_svg
from components.report.report_data import ReportData, describe_error
from formats.evaluation_record import Evaluation
from formats.training_record import TrainingRecord

logger = logging.getLogger("higgs.report")


@dataclass(frozen=True)
class FigurePlan:
    """A figure that can be drawn: its name on the page, its caption and how to make it.

    Attributes:
        name: unique on the page; begins with the section.
        caption: what the figure shows.
        make: makes the figure from ``data``.
        data: arguments of ``make``.
    """

    name: str
    caption: str
    make: Callable[..., Figure]
    data: tuple[Any, ...]


@dataclass(frozen=True)
class Drawing:
    """A drawn figure: its caption, and its SVG or the reason why it could not be drawn."""

    caption: str
    svg: Markup
    fault: str = ""


def draw(plan: FigurePlan) -> Drawing:
    """Draws a figure; never fails."""
    try:
        return Drawing(plan.caption, to_svg(plan.name, plan.caption, plan.make, *plan.data))
    except Exception as error:  # the other figures are still worth showing
        logger.warning("the report lacks the figure %s: %s", plan.name, error)
        return Drawing(plan.caption, Markup(), describe_error(error))


def plan_figures(report: ReportData) -> Iterator[FigurePlan]:
    """Yields every figure that the report has data for."""
    if report.evaluation:
        yield from _evaluation_plans(report.evaluation)
    if report.training:
        yield from _training_plans(report.training)
    for split in report.splits[:1]:
        for name, histogram in split.histograms.items():
            caption = f"{words(name)}, by class"
            make = feature_figures.class_histogram
            yield FigurePlan(f"feature-{name}", caption, make, (name, histogram))


def _evaluation_plans(evaluation: Evaluation) -> Iterator[FigurePlan]:
    scores = evaluation.candidate.overall.scores
    if not scores.has_events:
        return
    for name, caption, make in EVALUATION_FIGURES:
        if scores.has_both_classes or name in ONE_CLASS_FIGURES:
            yield FigurePlan(f"evaluation-{name}", caption, make, (evaluation,))


def _training_plans(training: TrainingRecord) -> Iterator[FigurePlan]:
    for metric, caption, label in (
        ("loss", "Loss by epoch", "loss (nats)"),
        ("auc", "AUC by epoch", "AUC"),
    ):
        if any(training_figures.has_metric(training, key) for key in (metric, f"val_{metric}")):
            data = (training, metric, label)
            yield FigurePlan(f"training-{metric}", caption, training_figures.metric_by_epoch, data)
    if training_figures.has_metric(training, "learning_rate"):
        caption = "Learning rate by epoch"
        yield FigurePlan("training-rate", caption, training_figures.learning_rate, (training,))
    if training.layers:
        yield FigurePlan("network", "Network", network_figure.network, (training,))


EVALUATION_FIGURES = (
    ("rejection", "Background rejection by signal efficiency", evaluation_figures.rejection),
    ("roc", "ROC curve", evaluation_figures.roc),
    ("scores", "Scores of signal and background", evaluation_figures.score_distributions),
    ("calibration", "Calibration of the score as a probability", evaluation_figures.calibration),
    ("purity", "Purity by efficiency (precision and recall)", evaluation_figures.precision_recall),
    ("significance", "Discovery significance by cut", evaluation_figures.significance),
    ("confusion", "Confusion matrix", evaluation_figures.confusion),
)

ONE_CLASS_FIGURES = ("scores", "calibration", "confusion")
"""Evaluation figures that exist if all events are of one class."""
