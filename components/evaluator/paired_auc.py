"""The uncertainty of the difference of two AUCs on the same events (DeLong et al. 1988).

The scores of two models on the same events are correlated, so their difference is known far better
than either AUC. Its variance needs the pairs of scores. Up to ``MAX_PAIRS`` different pairs per
class are all kept, and the result is exact; beyond that, a sample is kept.
"""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from components.evaluator.score_counts import Array, Cells, ScoreCounts, auc, score_keys
from formats.splitmix64 import mix

MAX_PAIRS = 2**17
"""Pairs of scores that are kept per class and slice: 2 MB. More do not change the error by 1 %."""

COMMON = 16
"""A pair with this many times the mean share of events per kept pair is always kept."""

UNSEEN = 3.0
"""Events of a class that may differ although none of them was seen: the rule of three, by which
3 / n of all events may be of a kind that does not occur among n (Hanley, Lippman-Hand 1983)."""

_ALL = 64
"""Bits of a hash."""


@dataclass(frozen=True)
class PairSample:
    """A sample of the pairs of scores that two models give the events of one class.

    Which pairs are kept depends on a hash of the pair, not on the order of events.

    Attributes:
        pairs: candidate's and baseline's score of P different pairs, as one key, int64 [P].
        weights: sum of the weights of the events with each pair, float64 [P].
        total: sum of the weights of all events, including those outside the sample.
        bits: pairs whose hash is below 2**bits are kept, and those of many events.
    """

    pairs: npt.NDArray[np.int64]
    weights: Array
    total: float
    bits: int

    def expanded_weights(self) -> Array:
        """Weights with which the kept pairs represent all events, [P]."""
        represented = np.where(_is_common(self), 1.0, 2.0 ** (_ALL - self.bits))
        return self.weights * represented

    def keys(self) -> tuple[Cells, Cells]:
        """The keys of the candidate's and the baseline's scores, int32 [P] each."""
        return (self.pairs >> 32).astype(np.int32), (self.pairs & 0xFFFFFFFF).astype(np.int32)


@dataclass(frozen=True)
class AucDifference:
    """The candidate's AUC minus the baseline's, on the same events.

    Attributes:
        value: the difference; NaN if it is undefined.
        standard_error: DeLong's; NaN if it is undefined.
        signal: number of signal events.
        background: number of background events.
    """

    value: float
    standard_error: float
    signal: float
    background: float

    def lower_bound(self, quantile: float) -> float:
        """Computes the one-sided lower bound at a quantile of the normal distribution.

        The estimated error of few events is too small where the models differ on rare events, and
        zero if none was seen. So ``UNSEEN`` events of each class, on which the models differ
        completely, are added to it. Of many events they are negligible.
        """
        if math.isnan(self.standard_error):
            return math.nan
        unseen = math.sqrt(UNSEEN) / self.signal, math.sqrt(UNSEEN) / self.background
        return self.value - quantile * math.hypot(self.standard_error, *unseen)


def sample_pairs(candidate: Any, baseline: Any, weights: Array) -> PairSample:
    """Samples the events of one class.

    Args:
        candidate: the candidate's scores, [N].
        baseline: the baseline's scores of the same events, [N].
        weights: weights of the events, [N].
    """
    pairs = (score_keys(candidate).astype(np.int64) << 32) | (
        score_keys(baseline).astype(np.int64) & 0xFFFFFFFF
    )
    return merge_pairs([PairSample(pairs, weights, float(weights.sum()), _ALL)])


def merge_pairs(samples: Iterable[PairSample]) -> PairSample:
    """Joins samples of different events of a class."""
    samples = list(samples)
    if not samples:
        return PairSample(np.zeros(0, np.int64), np.zeros(0), 0.0, _ALL)
    pairs, places = np.unique(np.concatenate([s.pairs for s in samples]), return_inverse=True)
    weights = np.zeros(len(pairs))
    np.add.at(weights, places, np.concatenate([s.weights for s in samples]))
    sample = PairSample(pairs, weights, sum(s.total for s in samples), min(s.bits for s in samples))
    sample = _thinned(sample)
    while len(sample.pairs) > MAX_PAIRS:
        sample = _thinned(dataclasses.replace(sample, bits=sample.bits - 1))
    return sample


def auc_difference(
    candidate: ScoreCounts, baseline: ScoreCounts, signal: PairSample, background: PairSample
) -> AucDifference:
    """Computes the difference of two AUCs on the same events, with DeLong's standard error.

    DeLong, DeLong, Clarke-Pearson 1988 (Biometrics 44, 837). For each signal event, the share of
    background that it outscores is taken from both models; the variance of the mean of their
    difference, plus the same for background events, is that of the difference of the AUCs. The
    shares come from the models' own score counts, as in Sun, Xu 2014 (IEEE Signal Processing
    Letters 21, 1389), so that the cost does not grow with the number of pairs of events.

    Args:
        candidate: the candidate's scores of all events.
        baseline: the baseline's.
        signal: pairs of scores of the signal events.
        background: the same of the background events.

    Returns:
        The difference; its standard error is NaN with fewer than two events of a class.
    """
    value = auc(candidate) - auc(baseline)
    if math.isnan(value):
        return AucDifference(value, math.nan, signal.total, background.total)
    variance = 0.0
    for sample, others in ((signal, "background"), (background, "signal")):
        by_candidate, by_baseline = (
            counts.share_below(getattr(counts, others), keys)
            for counts, keys in zip((candidate, baseline), sample.keys(), strict=True)
        )
        variance += _variance_of_mean(by_candidate - by_baseline, sample)
    return AucDifference(value, math.sqrt(variance), signal.total, background.total)


def _variance_of_mean(values: Array, sample: PairSample) -> float:
    """Estimates the variance of the mean of a value over all events of a sample's class."""
    if sample.total < 2:
        return float("nan")
    weights = sample.expanded_weights()
    mean = weights @ values / weights.sum()
    return float(weights @ (values - mean) ** 2 / weights.sum() / (sample.total - 1))


def _thinned(sample: PairSample) -> PairSample:
    """Drops the pairs that a sample with this number of bits does not keep."""
    if sample.bits == _ALL:
        return sample
    hashes = mix(sample.pairs.view(np.uint64))
    is_kept = _is_common(sample) | (hashes >> np.uint64(sample.bits) == 0)
    return dataclasses.replace(sample, pairs=sample.pairs[is_kept], weights=sample.weights[is_kept])


def _is_common(sample: PairSample) -> npt.NDArray[np.bool_]:
    """Returns which pairs are kept whatever their hash, because many events have them: bool [P]."""
    return sample.weights > sample.total * COMMON / MAX_PAIRS
