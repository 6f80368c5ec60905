"""Curves and cuts of scores that crowd, compared with scikit-learn's exact ones."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import auc, roc_auc_score, roc_curve

from components.evaluator.score_counts import (
    background_rejection,
    count_scores,
    score_keys,
    scores_of_keys,
)
from components.evaluator.score_cuts import score_cuts
from components.evaluator.significance import median_significance

EVENTS = 100_000


def draw(signal_share=0.5, scale=1.0):
    """Labels, and scores whose logits are those of a calibrated model, times a factor."""
    rng = np.random.default_rng(1)
    labels = (rng.random(EVENTS) < signal_share).astype(float)
    logits = rng.normal(1.5 * labels - 0.75) + np.log(signal_share / (1 - signal_share))
    return labels, np.float32(expit(scale * logits))


CROWDED = {
    "spread": draw(),
    "signal share 1e-3": draw(1e-3),
    "logits times ten": draw(scale=10.0),
    "a tenth equal": (draw()[0], np.where(np.arange(EVENTS) % 10, draw()[1], np.float32(0.25))),
}


def shares(labels, scores):
    """Thresholds, and the shares of signal and background that pass."""
    counts = count_scores(labels, scores, np.ones(len(labels)))
    cuts = np.array(
        [(m.threshold, m.true_positives, m.false_positives) for m in score_cuts(counts).matrices]
    ).T
    return cuts[0], cuts[1] / labels.sum(), cuts[2] / (1 - labels).sum()


@pytest.fixture(params=CROWDED.values(), ids=CROWDED)
def sample(request):
    return request.param


def test_every_cut_is_a_point_of_the_exact_curve(sample):
    labels, scores = sample
    thresholds, signal, background = shares(labels, scores)
    assert len(thresholds) < 2000
    assert (np.diff(thresholds) >= 0).all()
    assert (signal[0], background[0], signal[-1], background[-1]) == (1, 1, 0, 0)
    for share, chosen in ((signal, scores[labels == 1]), (background, scores[labels == 0])):
        passing = len(chosen) - np.searchsorted(np.sort(np.float64(chosen)), thresholds)
        np.testing.assert_allclose(share, passing / len(chosen), atol=1e-12)


def test_curve_between_the_cuts_is_the_exact_one(sample):
    labels, scores = sample
    _, signal, background = shares(labels, scores)
    assert auc(background, signal) == pytest.approx(roc_auc_score(labels, scores), abs=1e-5)
    counts = count_scores(labels, scores, np.ones(len(labels)))
    for efficiency in (0.1, 0.3, 0.5, 0.7, 0.9):
        drawn = 1 / np.interp(efficiency, signal[::-1], background[::-1])
        assert drawn == pytest.approx(background_rejection(counts, efficiency), rel=0.02)


def test_largest_significance_is_the_exact_one(sample):
    mistags, efficiencies, _ = roc_curve(*sample, drop_intermediate=False)
    _, signal, background = shares(*sample)
    largest = median_significance(100 * efficiencies, 1000 * mistags).max()
    assert median_significance(100 * signal, 1000 * background).max() == pytest.approx(largest)


def test_events_at_the_middle_are_counted_exactly(sample):
    labels, scores = sample
    thresholds, signal, background = shares(labels, scores)
    (middle,) = np.flatnonzero(thresholds == 0.5)
    assert signal[middle] * labels.sum() == np.sum(labels[scores >= 0.5])
    assert background[middle] * (1 - labels).sum() == np.sum((1 - labels)[scores >= 0.5])
    # The cut at half of the signal is the first that as many events pass.
    assert np.ceil(labels.sum() / 2) in np.round(signal * labels.sum())


@pytest.mark.parametrize("scores", [[], [0.3], [0.7], [0.5, 0.5], [0.0, 1.0], [np.nan, 0.6]])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_few_events_of_one_class_have_cuts(scores, label):
    labels = np.full(len(scores), label)
    matrices = score_cuts(count_scores(labels, scores, np.ones(len(scores)))).matrices
    passing = [m.true_positives + m.false_positives for m in matrices]
    others = [m.true_negatives + m.false_negatives for m in matrices]
    assert set(np.add(passing, others)) == {len(scores)}
    assert np.sum(np.array(scores) >= 0.5) in passing


def test_keys_are_mapped_back_to_their_scores():
    scores = np.float32([0.0, 1e-40, 1e-5, 0.25, 0.49999997, 0.5, 0.75, 0.9999999, 1.0])
    np.testing.assert_array_equal(scores_of_keys(score_keys(scores)), scores)
