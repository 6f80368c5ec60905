"""Every figure that a report can have, drawn, with what it shows in words."""

import logging
from collections.abc import Callable, Iterator, Mapping
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
from components.report.figures.figure_style import draw
from components.report.report_data import ReportData, reason
from formats.evaluation_record import Evaluation
from formats.training_record import Training

logger = logging.getLogger("higgs.report")


@dataclass(frozen=True)
class Drawing:
    """A figure on the page: its caption, and its SVG, or why it could not be drawn."""

    caption: str
    svg: Markup
    fault: str = ""


Drawings = Mapping[str, Drawing]
"""By name; a name begins with the section that the figure belongs to."""


def draw_all(report: ReportData) -> Drawings:
    """Draws whatever there is data for."""
    return {name: attempt(name, *figure) for name, figure in _wanted(report)}


def attempt(name: str, caption: str, make: Callable[..., Figure], *data: Any) -> Drawing:
    """A figure drawn by ``make`` from data, or the reason why it could not be."""
    try:
        return Drawing(caption, draw(name, caption, make, *data))
    except Exception as error:  # whatever is wrong, the other figures are still worth having
        logger.warning("the report goes without the figure %s: %s", name, error)
        return Drawing(caption, Markup(), reason(error))


def _wanted(report: ReportData) -> Iterator[tuple[str, Any]]:
    """Names of figures, each with its caption, what makes it, and from what."""
    if report.evaluation:
        yield from _of_evaluation(report.evaluation)
    if report.training:
        yield from _of_training(report.training)
    for split in report.splits[:1]:
        for name, histogram in split.histograms.items():
            caption = f"{words(name)}, by class"
            yield f"feature-{name}", (caption, feature_figures.class_histogram, name, histogram)


def _of_evaluation(evaluation: Evaluation) -> Iterator[tuple[str, Any]]:
    scores = evaluation.candidate.overall.scores
    wanted = EVALUATION if scores.has_both_classes else OF_ONE_CLASS if scores.has_events else ()
    for name, caption, make in wanted:
        yield f"evaluation-{name}", (caption, make, evaluation)


def _of_training(training: Training) -> Iterator[tuple[str, Any]]:
    for metric, caption, label in (
        ("loss", "Loss by epoch", "loss (nats)"),
        ("auc", "AUC by epoch", "AUC"),
    ):
        if training.has_measured(metric) or training.has_measured(f"val_{metric}"):
            yield f"training-{metric}", (caption, training_figures.history, training, metric, label)
    if training.has_measured("learning_rate"):
        yield "training-rate", ("Learning rate", training_figures.learning_rate, training)
    yield "network", ("The network", network_figure.network, training)


EVALUATION = (
    ("rejection", "Background rejection by signal efficiency", evaluation_figures.rejection),
    ("roc", "ROC curve", evaluation_figures.roc),
    ("scores", "Scores of signal and background", evaluation_figures.score_distributions),
    ("calibration", "Calibration of the score as a probability", evaluation_figures.calibration),
    ("purity", "Purity by efficiency (precision and recall)", evaluation_figures.precision_recall),
    ("significance", "Discovery significance by cut", evaluation_figures.significance),
    ("confusion", "Confusion at the working point", evaluation_figures.confusion),
)

OF_ONE_CLASS = tuple(
    entry for entry in EVALUATION if entry[0] in ("scores", "calibration", "confusion")
)
"""Figures of events that are all signal, or all background."""
