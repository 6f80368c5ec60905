"""The harness of every measurement: what a goal is, and runs that take turns.

A side is a function that does its work once and returns what it measured: a
rate, or seconds. It prepares outside the clock. Ours and the peer's take turns
(ours, peer, ours, peer, ...), so that what else the machine does meanwhile is
shared between them, and the median of the runs counts.
"""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from statistics import median
from typing import Any, TypeVar

RUNS = 3
"""Runs a side; the least that has a median worth its name."""

Side = Callable[[], float]

T = TypeVar("T")


class Sense(Enum):
    """On which side of its goal a measurement should be."""

    AT_LEAST = "at least"
    AT_MOST = "at most"


@dataclass(frozen=True)
class Measure:
    """What is measured, and what it should come to.

    Attributes:
      name: the record's key in the results.
      unit: of ours and of the peer.
      goal: what the ratio ours / peer is held against, or ours where there is no peer.
      sense: whether the goal is the least or the most.
    """

    name: str
    unit: str
    goal: float
    sense: Sense


@dataclass(frozen=True)
class Measurement:
    """A measure with the runs that were taken of it.

    Attributes:
      measure: what was measured.
      ours_runs: one value a run, in the order of the runs.
      peer_runs: the peer's, or nothing where there is none.
      sizes: how much was worked on, in words.
    """

    measure: Measure
    ours_runs: tuple[float, ...]
    peer_runs: tuple[float, ...] = ()
    sizes: str = ""

    @property
    def ours(self) -> float:
        """The median of our runs."""
        return median(self.ours_runs)

    @property
    def peer(self) -> float | None:
        """The median of the peer's runs; None without a peer."""
        return median(self.peer_runs) if self.peer_runs else None

    @property
    def ratio(self) -> float | None:
        """Ours over the peer's; None without a peer."""
        return None if self.peer is None else self.ours / self.peer

    @property
    def met(self) -> bool:
        """Whether the ratio, or ours where there is no peer, reaches the goal."""
        value = self.ours if self.ratio is None else self.ratio
        if self.measure.sense is Sense.AT_LEAST:
            return value >= self.measure.goal
        return value <= self.measure.goal

    def record(self) -> dict[str, Any]:
        """What goes into ``results.json``."""
        return {
            "name": self.measure.name,
            "unit": self.measure.unit,
            "ours": self.ours,
            "peer": self.peer,
            "ratio": self.ratio,
            "goal": self.measure.goal,
            "met": self.met,
        }

    def details(self) -> dict[str, Any]:
        """What goes beside it: the goal's sense, every run, and the sizes."""
        return {
            "sense": self.measure.sense.value,
            "ours_runs": list(self.ours_runs),
            "peer_runs": list(self.peer_runs),
            "sizes": self.sizes,
        }


def take_turns(*sides: Callable[[], T], runs: int = RUNS) -> list[tuple[T, ...]]:
    """Runs the sides one after the other, again and again.

    Returns:
      What each side measured, a tuple with a value a run.
    """
    rounds = [[side() for side in sides] for _ in range(runs)]
    return list(zip(*rounds, strict=True))


def compare(measure: Measure, ours: Side, peer: Side, *, sizes: str) -> Measurement:
    """Measures ours against a peer."""
    ours_runs, peer_runs = take_turns(ours, peer)
    return Measurement(measure, ours_runs, peer_runs, sizes)


def beyond(first: int, first_side: Side, events: int, side: Side) -> Side:
    """The rate of a side after its first events, whose seconds are not charged to it.

    For a peer that is so slow that its sample is small and its constant cost would
    dominate. Measures the first events at once, twice, and takes the faster.
    """
    constant = first / max(first_side(), first_side())
    return lambda: (events - first) / (events / side() - constant)


def seconds(work: Callable[[], object]) -> float:
    """The wall time of some work, begun without the litter of earlier work."""
    gc.collect()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def rate(events: int, work: Callable[[], object]) -> float:
    """Events a second."""
    return events / seconds(work)
