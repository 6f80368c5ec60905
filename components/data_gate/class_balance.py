"""Class balance of the splits: detects files that were not shuffled before they were divided."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import NamedTuple

from scipy.stats import hypergeom
from tensorflow_metadata.proto.v0 import statistics_pb2

from formats.features import LABEL

MAX_FALSE_REFUSALS = 1e-4
"""Probability that any pair is refused although all splits come from the same population."""

MIN_DIFFERENCE = 0.01
"""Differences in the share of signal up to this one are accepted, however many events there are."""


class ClassBalance(NamedTuple):
    """Events of a split, and how many of them are signal."""

    events: int
    signal: int


def count_classes(statistics: statistics_pb2.DatasetFeatureStatistics) -> ClassBalance:
    """Reads the numbers of events and of signal events from a split's statistics."""
    for feature in statistics.features:
        if feature.path.step[0] == LABEL:
            numbers = feature.num_stats
            events = numbers.common_stats.num_non_missing
            return ClassBalance(events, round(numbers.mean * events))
    return ClassBalance(0, 0)


def find_imbalances(splits: Mapping[str, ClassBalance]) -> Iterator[str]:
    """Yields one reason per pair of splits whose shares of signal differ beyond chance.

    All pairs are tested at once, with Holm's correction (Holm 1979, Scandinavian Journal of
    Statistics 6, 65).
    """
    counted = {name: counts for name, counts in splits.items() if counts.events}
    pairs = list(combinations(counted, 2))
    p_values = {pair: p_value(counted[pair[0]], counted[pair[1]]) for pair in pairs}
    for tested, pair in enumerate(sorted(pairs, key=p_values.__getitem__)):
        if p_values[pair] > MAX_FALSE_REFUSALS / (len(pairs) - tested):
            return
        (name, counts), (other_name, others) = ((part, counted[part]) for part in pair)
        share, other = counts.signal / counts.events, others.signal / others.events
        if abs(share - other) > MIN_DIFFERENCE:
            yield (
                f"{name} and {other_name}: {share:.1%} of {counts.events} events are signal in "
                f"{name}, and {other:.1%} of {others.events} in {other_name}, which is not due "
                f"to chance (probability below {MAX_FALSE_REFUSALS:g}): shuffle the events before "
                "they are divided, or put all shards into one folder, which is split by a hash"
            )


def p_value(first: ClassBalance, second: ClassBalance) -> float:
    """Computes the two-sided p-value of Fisher's exact test: twice the smaller tail.

    It is the probability of a difference as large in two splits of the same population.

    >>> round(p_value(ClassBalance(100, 60), ClassBalance(100, 50)), 2)
    0.2
    """
    events, signal = first.events + second.events, first.signal + second.signal
    drawn = hypergeom(events, signal, second.events)
    tail = min(drawn.cdf(second.signal), drawn.sf(second.signal - 1))
    return min(1.0, 2 * float(tail))
