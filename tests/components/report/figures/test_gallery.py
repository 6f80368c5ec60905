import dataclasses
import logging

import numpy as np

from components.report.figures.figure_style import new_axes
from components.report.figures.gallery import attempt, draw_all
from components.report.report_data import ReportData
from formats.evaluation_record import Evaluation, Measured, ModelEvaluation, Scores
from formats.run_outcome import RunOutcome
from formats.training_record import parse_training

OUTCOME = RunOutcome("", {})


def evaluated(signal, background):
    scores = Scores(*(np.full(100, n) for n in (signal, background, 0.5)))
    overall = Measured("all events", {}, scores)
    return ReportData(OUTCOME, evaluation=Evaluation(ModelEvaluation(overall, ()), None))


def test_every_figure_that_there_is_data_for(make):
    drawings = draw_all(make.report())
    assert list(drawings) == [
        *(f"evaluation-{name}" for name in ("rejection", "roc", "scores", "calibration")),
        *(f"evaluation-{name}" for name in ("purity", "significance", "confusion")),
        *("training-loss", "training-auc", "network", "feature-m_bb"),
    ]
    assert all(drawing.svg.startswith("<svg ") for drawing in drawings.values())
    assert drawings["feature-m_bb"].caption == "mass of two b-jets, light Higgs candidate, by class"


def test_nothing_is_drawn_of_nothing():
    assert draw_all(ReportData(OUTCOME)) == {}
    assert draw_all(evaluated(0.0, 0.0)) == {}
    assert list(draw_all(ReportData(OUTCOME, training=parse_training({})))) == ["network"]


def test_one_class_alone_has_no_curve():
    names = ["evaluation-scores", "evaluation-calibration", "evaluation-confusion"]
    assert list(draw_all(evaluated(1.0, 0.0))) == names
    assert list(draw_all(evaluated(0.0, 1.0))) == names


def test_features_are_those_of_the_first_split(make):
    train, other = make.split(), make.split("eval", feature="m_jj")
    report = ReportData(OUTCOME, splits=(train, dataclasses.replace(other)))
    assert list(draw_all(report)) == ["feature-m_bb"]


def test_figure_that_fails_is_named_and_logged(caplog):
    def fail():
        raise ValueError("no such line")

    with caplog.at_level(logging.WARNING, "higgs.report"):
        drawing = attempt("name", "A caption", fail)
    assert (drawing.caption, drawing.svg, drawing.fault) == (
        "A caption",
        "",
        "ValueError: no such line",
    )
    assert "without the figure name: no such line" in caplog.text
    assert attempt("name", "A caption", lambda: new_axes()[0]).fault == ""
