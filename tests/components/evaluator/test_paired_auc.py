"""The paired comparison of two AUCs, against DeLong's definition and simulated samples."""

import dataclasses

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from components.evaluator import paired_auc, score_counts
from components.evaluator.paired_auc import (
    PairSample,
    auc_difference,
    merge_pairs,
    sample_pairs,
)
from components.evaluator.score_counts import count_scores, merge_counts


def compare(labels, candidate, baseline, parts=1):
    """The difference of AUCs from counts of parts of the events."""
    counts = {"candidate": [], "baseline": []}
    pairs = {1: [], 0: []}
    for rows in np.array_split(np.arange(len(labels)), parts):
        kind, weights = labels[rows], np.ones(len(rows))
        for name, scores in (("candidate", candidate), ("baseline", baseline)):
            counts[name].append(count_scores(kind.astype(float), scores[rows], weights))
        for value, samples in pairs.items():
            chosen = rows[kind == value]
            samples.append(sample_pairs(candidate[chosen], baseline[chosen], np.ones(len(chosen))))
    merged = [merge_counts(counts[name]) for name in ("candidate", "baseline")]
    return auc_difference(*merged, merge_pairs(pairs[1]), merge_pairs(pairs[0]))


def draw(rng, events, *, shared=1.0, own=0.3, shift=1.5, own_baseline=None):
    """Labels, and correlated scores of two models."""
    labels = rng.integers(0, 2, events)
    common = rng.normal(shift * labels, shared)
    noises = own, own if own_baseline is None else own_baseline
    scores = (np.float32(expit(common + rng.normal(0, noise, events))) for noise in noises)
    return labels, *scores


def delong(labels, candidate, baseline):
    """Difference and standard error from the placements of each event, by the definition."""

    def placements(scores):
        signal, background = scores[labels == 1], scores[labels == 0]
        above = (signal[:, None] > background) + 0.5 * (signal[:, None] == background)
        return above.mean(axis=1), above.mean(axis=0)

    by_signal, by_background = (
        ours - theirs
        for ours, theirs in zip(placements(candidate), placements(baseline), strict=True)
    )
    variance = by_signal.var(ddof=1) / len(by_signal) + by_background.var(ddof=1) / len(
        by_background
    )
    return by_signal.mean(), np.sqrt(variance)


@pytest.mark.parametrize("decimals", [7, 2, 1], ids=["few ties", "ties", "mostly ties"])
def test_difference_and_error_equal_delongs(decimals):
    labels, candidate, baseline = draw(np.random.default_rng(1), 900)
    candidate, baseline = candidate.round(decimals), baseline.round(decimals)
    found = compare(labels, candidate, baseline, parts=4)
    value, error = delong(labels, candidate, baseline)
    assert found.value == pytest.approx(value, rel=1e-9)
    assert found.standard_error == pytest.approx(error, rel=1e-9)
    assert found.value == pytest.approx(
        roc_auc_score(labels, candidate) - roc_auc_score(labels, baseline)
    )


def test_error_is_the_covariance_formula():
    # Var(a) + Var(b) - 2 Cov(a, b), and far less than that of independent samples.
    labels, candidate, baseline = draw(np.random.default_rng(2), 2000)
    found = compare(labels, candidate, baseline)
    independent = np.hypot(
        *(
            score_counts.auc_standard_error(
                count_scores(labels.astype(float), scores, np.ones(len(labels)))
            )
            for scores in (candidate, baseline)
        )
    )
    assert 0 < found.standard_error < 0.6 * independent


@pytest.mark.slow
def test_lower_bound_misses_the_true_difference_in_5_percent_of_samples():
    rng = np.random.default_rng(3)
    # Of normal scores whose means differ by 1.5.
    true = norm.cdf(1.5 / np.sqrt(2.5)) - norm.cdf(1.5 / np.sqrt(2.0))
    found = [compare(*draw(rng, 1500, own=0.5, own_baseline=0.0)) for _ in range(400)]
    assert np.mean([f.value for f in found]) == pytest.approx(true, abs=1e-3)
    above = np.mean([f.lower_bound(1.644854) > true for f in found])
    assert 0.02 < above < 0.085
    assert np.std([f.value for f in found]) == pytest.approx(
        np.mean([f.standard_error for f in found]), rel=0.1
    )


def test_model_compared_with_itself_has_no_difference():
    labels, candidate, _ = draw(np.random.default_rng(4), 500)
    found = compare(labels, candidate, candidate)
    assert (found.value, found.standard_error) == (0.0, 0.0)


def test_bound_of_a_model_compared_with_itself_allows_for_events_that_were_not_seen():
    labels, candidate, _ = draw(np.random.default_rng(4), 500)
    found = compare(labels, candidate, candidate)
    unseen = np.sqrt(3 / found.signal**2 + 3 / found.background**2)
    assert (found.signal, found.background) == (labels.sum(), 500 - labels.sum())
    assert found.lower_bound(1.644854) == pytest.approx(-1.644854 * unseen)


@pytest.mark.slow
def test_bound_is_valid_where_a_model_is_worse_on_rare_events_alone():
    # One signal event in 250 gets the lowest score; without the unseen ones the bound of most
    # samples of 100 signal events is exactly 0.
    rng, true, above = np.random.default_rng(9), -0.855 / 250, []
    for _ in range(200):
        labels = (np.arange(2000) < 100).astype(int)
        baseline = np.float32(expit(rng.normal(1.5 * labels, 1.0)))
        candidate = np.where((labels == 1) & (rng.random(2000) < 1 / 250), np.float32(0), baseline)
        above.append(compare(labels, candidate, baseline).lower_bound(1.644854) > true)
    assert np.mean(above) < 0.05


@pytest.mark.parametrize("signal", [0, 1, 500])
def test_error_is_undefined_with_fewer_than_two_events_of_a_class(signal):
    _, candidate, baseline = draw(np.random.default_rng(5), 500)
    labels = (np.arange(500) < signal).astype(int)
    found = compare(labels, candidate, baseline)
    assert np.isnan(found.standard_error)
    assert np.isnan(found.value) == (signal != 1)


@pytest.fixture
def few_pairs(monkeypatch):
    monkeypatch.setattr(paired_auc, "MAX_PAIRS", 4096)


def test_sample_of_many_pairs_estimates_the_error(few_pairs):
    labels, candidate, baseline = draw(np.random.default_rng(6), 60_000)
    found = compare(labels, candidate, baseline, parts=9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paired_auc, "MAX_PAIRS", 2**17)
        exact = compare(labels, candidate, baseline)
    assert found.value == exact.value
    assert found.standard_error == pytest.approx(exact.standard_error, rel=0.05)
    assert found.standard_error != exact.standard_error


def test_sample_does_not_depend_on_parts_or_order(few_pairs):
    rng = np.random.default_rng(7)
    _, candidate, baseline = draw(rng, 30_000)
    samples = []
    for parts, order in ((2, np.arange(30_000)), (11, rng.permutation(30_000))):
        samples.append(
            merge_pairs(
                sample_pairs(candidate[rows], baseline[rows], np.ones(len(rows)))
                for rows in np.array_split(order, parts)
            )
        )
    one, other = samples
    assert len(one.pairs) <= 4096
    assert (one.bits, one.total) == (other.bits, 30_000)
    np.testing.assert_array_equal(one.pairs, other.pairs)
    np.testing.assert_array_equal(one.weights, other.weights)
    # Each pair also represents those that were left out.
    assert one.expanded_weights().sum() == pytest.approx(30_000, rel=0.05)


def test_pair_of_many_events_is_kept_and_stands_for_itself(few_pairs):
    rng = np.random.default_rng(8)
    _, candidate, baseline = draw(rng, 40_000)
    candidate[:8000], baseline[:8000] = 0.3, 0.4
    order = rng.permutation(40_000)
    sample = merge_pairs(
        sample_pairs(candidate[rows], baseline[rows], np.ones(len(rows)))
        for rows in np.array_split(order, 5)
    )
    heaviest = sample.weights.argmax()
    assert sample.weights[heaviest] == 8000
    assert sample.expanded_weights()[heaviest] == 8000
    assert sample.expanded_weights().sum() == pytest.approx(40_000, rel=0.05)


def test_pairs_stand_for_themselves_from_16_times_the_mean_share_on(few_pairs):
    sample = PairSample(np.array([1, 2]), np.array([16.0, 17.0]), total=4096.0, bits=60)
    assert sample.expanded_weights().tolist() == [16 * 2**4, 17]


def test_as_many_pairs_as_can_be_kept_are_all_kept(few_pairs):
    scores = np.linspace(0, 1, 4097, dtype=np.float32)
    whole = sample_pairs(scores[:-1], scores[:-1], np.ones(4096))
    assert (len(whole.pairs), whole.bits) == (4096, 64)
    assert sample_pairs(scores, scores, np.ones(4097)).bits == 63


def test_a_small_part_is_sampled_like_the_large_one(few_pairs):
    scores = np.linspace(0, 1, 5_200, dtype=np.float32)
    ones = np.ones(5_000)
    large = sample_pairs(scores[:5_000], scores[:5_000], ones)
    small = sample_pairs(scores[5_000:], scores[5_000:], ones[:200])
    merged = merge_pairs([large, small])
    assert (large.bits, small.bits, merged.bits) == (63, 64, 63)
    np.testing.assert_array_equal(
        merged.pairs, merge_pairs([sample_pairs(scores, scores, np.ones(5_200))]).pairs
    )


def test_sample_of_no_events_is_empty():
    empty = sample_pairs(np.zeros(0), np.zeros(0), np.zeros(0))
    assert (len(empty.pairs), empty.total) == (0, 0.0)
    merged = merge_pairs([])
    for field in dataclasses.fields(merged):
        np.testing.assert_array_equal(getattr(merged, field.name), getattr(empty, field.name))
