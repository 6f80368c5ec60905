"""Every figure that a report can have, drawn, with what it shows in words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from components.report.figures import evaluation as of_evaluation
from components.report.figures import features as of_features
from components.report.figures import network as of_network
from components.report.figures import training as of_training
from components.report.figures.style import draw
from components.report.physics import words
from components.report.read import ReportData


@dataclass(frozen=True)
class Drawing:
    """A figure on the page: its caption, and its SVG."""

    caption: str
    svg: Markup


Drawings = Mapping[str, Drawing]
"""By name; a name begins with the section that the figure belongs to."""


def draw_all(report: ReportData) -> Drawings:
    """Draws whatever there is data for."""
    drawings: dict[str, Drawing] = {}
    for name, (caption, make, *data) in _wanted(report):
        drawings[name] = Drawing(caption, draw(name, caption, make, *data))
    return drawings


def _wanted(report: ReportData) -> Iterator[tuple[str, Any]]:
    """Names of figures, each with its caption, what makes it, and from what."""
    if report.evaluation:
        for name, caption, make in EVALUATION:
            yield f"evaluation-{name}", (caption, make, report.evaluation)
    if report.training and report.training.epochs:
        history = of_training.history
        yield "training-loss", ("Loss by epoch", history, report.training, "loss", "loss (nats)")
        yield "training-auc", ("AUC by epoch", history, report.training, "auc", "AUC")
        yield "training-rate", ("Learning rate", of_training.learning_rate, report.training)
    if report.training:
        yield "network", ("The network", of_network.network, report.training)
    for split in report.splits[:1]:
        for name, histogram in split.histograms.items():
            caption = f"{words(name)}, by class"
            yield f"feature-{name}", (caption, of_features.class_histogram, name, histogram)


EVALUATION = (
    ("rejection", "Background rejection by signal efficiency", of_evaluation.rejection),
    ("roc", "ROC curve", of_evaluation.roc),
    ("scores", "Scores of signal and background", of_evaluation.score_distributions),
    ("calibration", "Calibration of the score as a probability", of_evaluation.calibration),
    ("purity", "Purity by efficiency (precision and recall)", of_evaluation.precision_recall),
    ("significance", "Discovery significance by cut", of_evaluation.significance),
    ("confusion", "Confusion at the working point", of_evaluation.confusion),
)
