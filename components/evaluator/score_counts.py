"""Events by score, in cells that are fine where scores crowd, and metrics of the ranking.

A cell is a range of float32 scores. Cells follow the score's bit pattern below 0.5, and the
mirrored bit pattern of 1 - score from there on: they are narrow in proportion to the distance
from 0 or 1, like bins of the logit. While at most ``MAX_CELLS`` different scores occur, each has a
cell of its own and everything computed here is exact. With more, all cells become wider, except
where many events share one (docs/decisions/0028-exact-auc-in-one-pass.md).
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Cells = npt.NDArray[np.int32]

MAX_CELLS = 2**17
"""Maximum number of cells per model and slice: 3 MB, however many events there are."""

CROWD = 2.0**-13
"""Where a wide cell would have more than this share of the events, its narrow cells are kept."""

MAX_ERROR = 1e-4
"""The largest possible error of an AUC that is accepted; beyond it the AUC is undefined."""

_HALF = np.float32(0.5).view(np.int32)
_NOT_A_NUMBER = np.int32(-1)


@dataclass(frozen=True)
class ScoreCounts:
    """Events by score, over C cells in the order of their lowest scores.

    Attributes:
        shift: cells are 2**shift neighbouring float32 scores wide, or narrower.
        lowest: the lowest score of each cell as a key of ``score_keys``, int32 [C].
        highest: the highest, int32 [C].
        signal: sum of the weights of signal events in each cell, float64 [C].
        background: the same of background events.
    """

    shift: int
    lowest: Cells
    highest: Cells
    signal: Array
    background: Array

    @property
    def has_both_classes(self) -> bool:
        """Returns whether events of both classes were counted."""
        return bool(self.signal.any() and self.background.any())

    @property
    def has_invalid_scores(self) -> bool:
        """Returns whether the score of an event is not a number."""
        return bool(self.lowest.size and self.lowest[0] == _NOT_A_NUMBER)

    def outscored(self, weights: Array) -> tuple[Array, Array]:
        """Computes the share of a class that each cell outscores: at least and at most, [C] each.

        The events of the same cell count as outscored at most, not at least.

        Args:
            weights: ``signal`` or ``background``.
        """
        return self._below(weights, self.lowest, self.highest)

    def share_below(self, weights: Array, keys: Cells) -> Array:
        """Computes the share of a class below each of N scores; half of an equal score counts.

        Args:
            weights: ``signal`` or ``background``.
            keys: the scores, from ``score_keys``, int32 [N].
        """
        return _mean(self._below(weights, keys, keys))

    def _below(self, weights: Array, lowest: Cells, highest: Cells) -> tuple[Array, Array]:
        by_highest = np.argsort(self.highest, kind="stable")
        cumulative = np.append(0.0, np.cumsum(weights[by_highest]))
        least = cumulative[np.searchsorted(self.highest[by_highest], lowest, "left")]
        cumulative = np.append(0.0, np.cumsum(weights))
        most = cumulative[np.searchsorted(self.lowest, highest, "right")]
        return least / cumulative[-1], most / cumulative[-1]

    @cached_property
    def max_error(self) -> float:
        """How far the AUC of these counts may be from that of the scores, because of wide cells.

        Half the share of pairs of signal and background whose different scores are not ordered.
        """
        if not self.has_both_classes:
            return 0.0
        least, most = self.outscored(self.background)
        equal = np.where(self.lowest == self.highest, self.background, 0.0) / self.background.sum()
        # Rounding can make a zero slightly negative.
        return max(0.0, float(self.signal @ (most - least - equal) / self.signal.sum() / 2))

    @property
    def is_ordered(self) -> bool:
        """Returns whether both classes occur and their scores can be compared to ``MAX_ERROR``."""
        return self.has_both_classes and not self.has_invalid_scores and self.max_error <= MAX_ERROR


def score_keys(scores: Any) -> Cells:
    """Maps scores to integers in the same order; different float32 scores have different keys.

    Args:
        scores: probabilities [N]; they are compared as float32, and limited to [0, 1].

    Returns:
        Keys from 0, int32 [N]; -1 where the score is not a number.
    """
    # The addition makes -0 a 0, whose bit pattern is 0.
    probabilities = np.clip(np.asarray(scores, np.float32), 0.0, 1.0) + np.float32(0.0)
    below = probabilities.view(np.int32)
    # Exact, because the difference of floats within a factor of two is one.
    above = 2 * _HALF - (np.float32(1.0) - probabilities).view(np.int32)
    keys = np.where(probabilities < 0.5, below, above)
    return np.where(np.isnan(probabilities), _NOT_A_NUMBER, keys).astype(np.int32)


def scores_of_keys(keys: Cells) -> Array:
    """Maps keys of ``score_keys`` back to scores, float64 [N]; 0 where there was no number."""
    keys = np.maximum(keys, 0).astype(np.int32)
    above = np.float32(1.0) - np.maximum(2 * _HALF - keys, 0).astype(np.int32).view(np.float32)
    return np.where(keys < _HALF, keys.view(np.float32), above).astype(np.float64)


def count_scores(labels: Array, scores: Any, weights: Array) -> ScoreCounts:
    """Counts events by score.

    Args:
        labels: 1 for signal and 0 for background, [N].
        scores: probabilities [N].
        weights: weights of the events, [N].
    """
    keys = score_keys(scores)
    return merge_counts([ScoreCounts(0, keys, keys, labels * weights, (1.0 - labels) * weights)])


def merge_counts(parts: Iterable[ScoreCounts]) -> ScoreCounts:
    """Adds up counts; the cells become as wide as ``MAX_CELLS`` of them require.

    The result is the same for all parts and orders of the same events, unless there are more than
    ``MAX_CELLS`` different scores and many events share a wide cell. It then differs by no more
    than ``max_error``.
    """
    parts = [part for part in parts if part.lowest.size]
    if not parts:
        empty, nothing = np.zeros(0, np.int32), np.zeros(0)
        return ScoreCounts(0, empty, empty, nothing, nothing)
    columns = [
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("lowest", "highest", "signal", "background")
    ]
    order = np.lexsort((columns[1], columns[0]))
    shift = max(part.shift for part in parts)
    counts = ScoreCounts(shift, *(column[order] for column in columns))
    counts = _group(counts, _changes(counts.lowest) | _changes(counts.highest))
    if shift == 0 and len(counts.lowest) <= MAX_CELLS:
        return counts
    return _widen(counts)


def _widen(counts: ScoreCounts) -> ScoreCounts:
    """Joins cells into half of ``MAX_CELLS`` wide ones, and as many narrow ones for crowds."""
    shift = _least_shift(counts.lowest, counts.shift)
    starts = _changes(counts.lowest >> shift)
    block = np.cumsum(starts) - 1
    events = np.bincount(block, counts.signal + counts.background)
    crowded = (events > CROWD * events.sum())[block]
    fine_shift = _least_shift(counts.lowest[crowded], 0)
    widened = dataclasses.replace(counts, shift=shift)
    return _group(widened, starts | (crowded & _changes(counts.lowest >> fine_shift)))


def _least_shift(keys: Cells, shift: int) -> int:
    """The smallest width, ``shift`` or more, at which half of ``MAX_CELLS`` cells hold all keys."""
    while np.count_nonzero(np.diff(keys >> shift)) >= MAX_CELLS // 2:
        shift += 1
    return shift


def _changes(sorted_values: Cells) -> npt.NDArray[np.bool_]:
    """Whether each value differs from the one before; the first does, bool [N]."""
    return np.append(True, sorted_values[1:] != sorted_values[:-1])


def _group(counts: ScoreCounts, is_first: npt.NDArray[np.bool_]) -> ScoreCounts:
    """Joins each cell with the ones that follow it and are not the first of a group."""
    starts = np.flatnonzero(is_first)
    return ScoreCounts(
        counts.shift,
        counts.lowest[starts],
        np.maximum.reduceat(counts.highest, starts),
        np.add.reduceat(counts.signal, starts),
        np.add.reduceat(counts.background, starts),
    )


def auc(counts: ScoreCounts) -> float:
    """Computes the area under the ROC curve; equal scores count half.

    Returns:
        The AUC; NaN if it is undefined (a class has no events, a score is not a number), or not
        known to ``MAX_ERROR``.
    """
    if not counts.is_ordered:
        return float("nan")
    return float(counts.signal @ _mean(counts.outscored(counts.background)) / counts.signal.sum())


def auc_standard_error(counts: ScoreCounts) -> float:
    """Estimates the standard error of the AUC of unweighted events.

    DeLong, DeLong, Clarke-Pearson 1988 (Biometrics 44, 837): the variance of the mean share of
    background events that a signal event outscores, and of signal events that outscore a
    background event; equal scores count half. No shape of the scores is assumed.

    Returns:
        The standard error; NaN with fewer than two events of a class, or where the AUC is NaN.
    """
    n_signal, n_background = counts.signal.sum(), counts.background.sum()
    if not counts.is_ordered or n_signal < 2 or n_background < 2:
        return float("nan")
    outscored = _mean(counts.outscored(counts.background))
    outscoring = 1.0 - _mean(counts.outscored(counts.signal))
    variance = _variance(outscored, counts.signal) / n_signal
    return float(np.sqrt(variance + _variance(outscoring, counts.background) / n_background))


def background_rejection(counts: ScoreCounts, signal_efficiency: float = 0.5) -> float:
    """Computes the inverse of the share of background that passes with a share of the signal.

    The ROC curve is interpolated linearly between the scores that occur.

    Args:
        counts: events by score.
        signal_efficiency: the share of the signal that passes, in (0, 1).

    Returns:
        The rejection; infinite if no background passes, NaN where the AUC is NaN.
    """
    if not counts.is_ordered:
        return float("nan")
    signal, background = counts.signal[::-1], counts.background[::-1]
    passing, needed = np.cumsum(signal), signal_efficiency * signal.sum()
    # The highest cell whose events complete the required share of the signal.
    last = int(np.searchsorted(passing, needed))
    fraction = (needed - (passing[last] - signal[last])) / signal[last]
    mistags = background[:last].sum() + fraction * background[last]
    return float(background.sum() / mistags) if mistags > 0 else float("inf")


def passing_shares(counts: ScoreCounts) -> tuple[Array, Array]:
    """Computes the shares of signal and background that pass each cut, from the highest score down.

    Returns:
        Signal and background efficiencies, float64 [C + 1] each; no event passes the first cut.
    """
    signal, background = (
        np.append(0.0, np.cumsum(weights[::-1])) / weights.sum()
        for weights in (counts.signal, counts.background)
    )
    return signal, background


def _mean(bounds: tuple[Array, Array]) -> Array:
    least, most = bounds
    return (least + most) / 2


def _variance(values: Array, counts: Array) -> float:
    """Computes the unbiased variance of values that occur ``counts`` times each."""
    total = counts.sum()
    mean = counts @ values / total
    return float(counts @ (values - mean) ** 2 / (total - 1))
