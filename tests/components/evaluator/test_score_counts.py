"""Ranking measures from counted scores, against scikit-learn and DeLong's definition."""

import dataclasses

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score, roc_curve

from components.evaluator import score_counts
from components.evaluator.score_counts import (
    CROWD,
    MAX_CELLS,
    MAX_ERROR,
    ScoreCounts,
    auc,
    auc_standard_error,
    background_rejection,
    count_scores,
    merge_counts,
    passing_shares,
    score_keys,
)

EVENTS = 400_000


def sigmoid(logits):
    return expit(np.float32(logits))


def count(labels, scores, parts=1, order=None):
    """Counts the events in a number of parts, in the given order."""
    order = np.arange(len(labels)) if order is None else order
    counts = [
        count_scores(np.float64(labels[rows]), scores[rows], np.ones(len(rows)))
        for rows in np.array_split(order, parts)
    ]
    return merge_counts(counts)


def make_sample(signal_share, make_scores):
    rng = np.random.default_rng(3)
    labels = (rng.random(EVENTS) < signal_share).astype(np.int64)
    labels[:2] = [0, 1]
    logits = rng.normal(1.5 * labels, 1.0)
    return labels, np.float32(make_scores(logits, rng))


# Possible scores of a model that separates events with an AUC of 0.86.
SAMPLES = {
    "half signal": (0.5, lambda x, _: sigmoid(x)),
    "signal share 1e-4": (1e-4, lambda x, _: sigmoid(x + np.log(1e-4))),
    "signal share 1e-5": (1e-5, lambda x, _: sigmoid(x + np.log(1e-5))),
    "background share 1e-5": (1 - 1e-5, lambda x, _: sigmoid(x - np.log(1e-5))),
    "logits times ten": (0.5, lambda x, _: sigmoid(10 * x)),
    "saturated": (0.5, lambda x, _: sigmoid(60 * x)),
    "logits by ten thousand": (0.5, lambda x, _: sigmoid(1e-4 * x)),
    "all equal": (0.5, lambda x, _: np.full_like(x, 0.3)),
    "few different": (0.5, lambda x, _: np.round(sigmoid(x), 2)),
    "zero or one": (0.5, lambda x, _: x > 0.7),
    "constant for one in ten": (
        0.5,
        lambda x, rng: np.where(rng.random(EVENTS) < 0.1, 0.5, sigmoid(x)),
    ),
    "heavy tails": (0.5, lambda x, rng: sigmoid(np.clip(x + rng.standard_cauchy(EVENTS), -80, 80))),
}


@pytest.fixture(scope="module", params=SAMPLES)
def sample(request):
    return make_sample(*SAMPLES[request.param])


@pytest.mark.slow
def test_auc_equals_scikit_learns_for_crowded_scores(sample):
    labels, scores = sample
    counts = count(labels, scores, parts=7)
    assert auc(counts) == pytest.approx(roc_auc_score(labels, scores), abs=1e-5)
    assert len(counts.signal) <= MAX_CELLS


@pytest.mark.slow
def test_counts_do_not_depend_on_parts_or_order(sample):
    labels, scores = sample
    order = np.random.default_rng(4).permutation(EVENTS)
    counts, others = count(labels, scores, parts=3), count(labels, scores, parts=40, order=order)
    assert counts.shift == others.shift
    assert auc(counts) == pytest.approx(auc(others), abs=1e-6)
    if counts.shift == 0 or not is_crowded(counts):
        for field in dataclasses.fields(ScoreCounts)[1:]:
            np.testing.assert_array_equal(getattr(counts, field.name), getattr(others, field.name))


def is_crowded(counts):
    """Whether many events share a wide cell."""
    events = counts.signal + counts.background
    cells, block = np.unique(counts.lowest >> counts.shift, return_inverse=True)
    return np.bincount(block, events).max() > CROWD * events.sum() and len(cells) < len(events)


@pytest.mark.slow
def test_rejection_equals_scikit_learns_for_crowded_scores(sample):
    labels, scores = sample
    mistags, efficiencies, _ = roc_curve(labels, scores, drop_intermediate=False)
    expected = np.interp(0.7, efficiencies, mistags)
    counts = count(labels, scores)
    assert background_rejection(counts, 0.7) == pytest.approx(1 / expected, rel=1e-3)


def test_few_different_scores_are_counted_exactly():
    labels, scores = make_sample(0.5, lambda x, _: np.round(sigmoid(x), 4))
    counts = count(labels, scores, parts=5)
    values, signal = np.unique(scores[labels == 1], return_counts=True)
    np.testing.assert_array_equal(counts.lowest, counts.highest)
    np.testing.assert_array_equal(counts.lowest, score_keys(np.unique(scores)))
    np.testing.assert_array_equal(counts.signal[np.isin(counts.lowest, score_keys(values))], signal)
    assert counts.max_error < 1e-15


def test_keys_have_the_order_of_all_floats_from_0_to_1():
    near = np.float32([0.0, 1e-45, 1e-38, 1e-9, 0.25, 0.5, 0.75, 1 - 2**-24, 1.0])
    around = np.concatenate([near, np.nextafter(near, np.float32(2)), np.nextafter(near, -1)])
    scores = np.unique(np.clip(around, 0, 1))
    assert (np.diff(score_keys(scores)) > 0).all()
    assert score_keys([-0.0, -1.0, 2.0, np.nan]).tolist() == [0, 0, *score_keys([1.0]), -1]


def test_accumulation_is_bounded(monkeypatch):
    monkeypatch.setattr(score_counts, "MAX_CELLS", 64)
    monkeypatch.setattr(score_counts, "MAX_ERROR", 1.0)
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, 20_000)
    scores = sigmoid(rng.normal(1.5 * labels, 1.0))
    counts = count(labels, scores, parts=100)
    assert 16 < len(counts.signal) <= 64
    assert counts.signal.sum() == labels.sum()
    assert abs(auc(counts) - roc_auc_score(labels, scores)) < counts.max_error < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("order", ["random", "by score", "crowds last"])
def test_crowds_far_narrower_than_a_cell_are_ordered(order):
    labels, scores = make_sample(
        0.5,
        lambda x, rng: sigmoid(np.where(rng.random(EVENTS) < 0.4, 1e-3 * x - 1, 2 * x)),
    )
    key = {"random": None, "by score": np.argsort(scores), "crowds last": None}[order]
    if order == "crowds last":
        key = np.argsort(-np.abs(scores - sigmoid(-1)))
    counts = count(labels, scores, parts=20, order=key)
    assert counts.shift > 8
    assert auc(counts) == pytest.approx(roc_auc_score(labels, scores), abs=1e-4)


def test_auc_that_the_cells_cannot_resolve_is_undefined_and_not_wrong(monkeypatch):
    monkeypatch.setattr(score_counts, "MAX_CELLS", 64)
    labels, scores = make_sample(0.5, lambda x, _: sigmoid(x))
    counts = count(labels, scores)
    assert counts.max_error > MAX_ERROR
    assert np.isnan(auc(counts))
    assert np.isnan(auc_standard_error(counts))


def delong(signal, background):
    """The standard error from the placements of each event, as DeLong et al. define it."""
    above = (signal[:, None] > background) + 0.5 * (signal[:, None] == background)
    by_signal, by_background = above.mean(axis=1), above.mean(axis=0)
    variance = by_signal.var(ddof=1) / len(signal) + by_background.var(ddof=1) / len(background)
    return np.sqrt(variance)


def count_classes(signal, background):
    labels = np.repeat([1, 0], [len(signal), len(background)])
    return count(labels, np.concatenate([signal, background]))


def test_standard_error_equals_delongs_for_scores_with_ties():
    rng = np.random.default_rng(1)
    signal, background = rng.integers(2, 20, 300) / 20, rng.integers(0, 18, 500) / 20
    counts = count_classes(signal, background)
    assert auc_standard_error(counts) == pytest.approx(delong(signal, background), rel=1e-9)


@pytest.mark.slow
def test_interval_contains_the_true_auc_in_95_percent_of_samples():
    rng = np.random.default_rng(2)
    true_auc, contained, samples = 0.7602, 0, 300
    for _ in range(samples):
        counts = count_classes(sigmoid(rng.normal(1, 1, 200)), sigmoid(rng.normal(0, 1, 200)))
        contained += abs(auc(counts) - true_auc) < 1.959964 * auc_standard_error(counts)
    assert 0.91 < contained / samples < 0.98


@pytest.mark.parametrize(("signal", "background"), [([0.5, 0.6], []), ([], [0.1, 0.2]), ([], [])])
def test_a_class_without_events_leaves_everything_undefined(signal, background):
    counts = count_classes(np.array(signal), np.array(background))
    values = auc(counts), auc_standard_error(counts), background_rejection(counts, 0.5)
    assert np.isnan(values).all()


def test_one_event_per_class_has_an_auc_but_no_error():
    counts = count_classes(np.array([0.7]), np.array([0.2]))
    assert auc(counts) == 1.0
    assert np.isnan(auc_standard_error(counts))


def test_a_score_that_is_not_a_number_leaves_the_auc_undefined():
    assert np.isnan(auc(count_classes(np.array([0.7, np.nan]), np.array([0.2, 0.3]))))


def test_cuts_pass_from_nothing_to_everything():
    counts = count_classes(np.array([0.2, 0.9, 0.9]), np.array([0.1, 0.2]))
    signal, background = passing_shares(counts)
    np.testing.assert_allclose(signal, [0, 2 / 3, 1, 1])
    np.testing.assert_allclose(background, [0, 0, 0.5, 1])


def test_rejection_at_a_vertical_part_of_the_curve_is_the_largest():
    # Half of the signal passes above both background events.
    counts = count_classes(np.array([0.9, 0.1]), np.array([0.5, 0.4, 0.95, 0.05]))
    assert background_rejection(counts, 0.5) == 4.0
    assert background_rejection(counts, 0.75) == 4 / 3
