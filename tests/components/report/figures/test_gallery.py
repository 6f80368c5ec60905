import logging

import numpy as np
import pytest
from markupsafe import Markup
from report_parts import binned_scores

from components.report.figures.figure_style import new_axes
from components.report.figures.gallery import FigurePlan, draw, plan_figures
from components.report.report_data import ReportData
from formats.evaluation_record import (
    OVERALL,
    Evaluation,
    ModelEvaluation,
    SliceEvaluation,
)
from formats.run_outcome import RunOutcome

OUTCOME = RunOutcome("", {})


def evaluated(signal, background):
    scores = binned_scores(*(np.full(100, count) for count in (signal, background, 0.5)))
    model = ModelEvaluation(SliceEvaluation(OVERALL, {}, scores), ())
    return ReportData(OUTCOME, evaluation=Evaluation(model, None))


def planned(report):
    return {plan.name: plan.caption for plan in plan_figures(report)}


def test_every_figure_with_data_is_planned(make):
    figures = planned(make.report())
    assert list(figures) == [
        "evaluation-rejection",
        "evaluation-roc",
        "evaluation-scores",
        "evaluation-calibration",
        "evaluation-purity",
        "evaluation-significance",
        "evaluation-confusion",
        "training-loss",
        "training-auc",
        "network",
        "feature-m_bb",
    ]
    assert figures["feature-m_bb"] == "mass of two b-jets, light Higgs candidate, by class"


def test_no_figures_without_data(make):
    assert planned(ReportData(OUTCOME)) == {}
    assert planned(evaluated(0.0, 0.0)) == {}
    assert planned(ReportData(OUTCOME, training=make.training(epochs=[], layers=[]))) == {}


@pytest.mark.parametrize(("signal", "background"), [(1.0, 0.0), (0.0, 1.0)])
def test_one_class_has_no_curves(signal, background):
    names = ["evaluation-scores", "evaluation-calibration", "evaluation-confusion"]
    assert list(planned(evaluated(signal, background))) == names


def test_features_are_those_of_the_first_split(make):
    splits = (make.split(), make.split("eval", feature="m_jj"))
    assert list(planned(ReportData(OUTCOME, splits=splits))) == ["feature-m_bb"]


def test_figure_that_fails_is_named_and_logged(caplog):
    def fail():
        raise ValueError("no such line")

    with caplog.at_level(logging.WARNING, "higgs.report"):
        drawing = draw(FigurePlan("name", "A caption", fail, ()))
    assert (drawing.caption, drawing.svg) == ("A caption", Markup())
    assert drawing.fault == "ValueError: no such line"
    assert "lacks the figure name: no such line" in caplog.text
    assert draw(FigurePlan("name", "A caption", lambda: new_axes()[0], ())).fault == ""
