import numpy as np
import pytest
from sklearn.metrics import auc

from components.report.figures import evaluation_figures


def line(figure, number=0):
    return figure.axes[0].lines[number].get_xydata()


def test_roc_encloses_the_auc(make):
    # The diagonal is drawn first.
    x, y = line(evaluation_figures.roc(make.evaluation()), 1).T
    scores = make.evaluation().candidate.overall.scores
    above = np.cumsum(scores.background) - scores.background / 2
    expected = (scores.signal * above).sum() / scores.signal.sum() / scores.background.sum()
    assert auc(x, y) == pytest.approx(expected, abs=1e-6)


def test_rejection_is_one_over_the_background_that_passes(make):
    scores = make.evaluation().candidate.overall.scores
    signal, background = scores.cuts.signal, scores.cuts.background
    x, y = line(evaluation_figures.rejection(make.evaluation())).T
    np.testing.assert_allclose(x * signal[0], signal[: len(x)])
    np.testing.assert_allclose(y, background[0] / background[: len(y)])
    assert background[len(y) - 1] >= evaluation_figures.MIN_EVENTS


def test_baseline_is_drawn_beside_the_candidate(make):
    alone, both = (evaluation_figures.roc(make.evaluation(baseline)) for baseline in (None, 0.79))
    assert len(both.axes[0].lines) == len(alone.axes[0].lines) + 1
    labels = [text.get_text() for text in both.axes[0].get_legend().get_texts()]
    assert labels == ["candidate", "baseline"]


def test_confusion_counts_every_event_once(make):
    scores = make.evaluation().candidate.overall.scores
    texts = [
        text.get_text() for text in evaluation_figures.confusion(make.evaluation()).axes[0].texts
    ]
    counts = [int(text.split("\n")[0].replace(",", "")) for text in texts]
    assert sum(counts) == scores.signal.sum() + scores.background.sum()
    assert counts[0] == scores.signal[50:].sum()


@pytest.mark.parametrize(
    "make_figure", [evaluation_figures.calibration, evaluation_figures.precision_recall]
)
def test_shares_are_within_zero_and_one(make, make_figure):
    for drawn in make_figure(make.evaluation()).axes[0].lines:
        values = drawn.get_xydata()
        values = values[np.isfinite(values).all(axis=1)]
        assert ((values >= 0) & (values <= 1)).all()
