"""Measurements and their goals, and functions that time ours and the peer in turn.

A side is a function that does its work once and returns what it measured: a rate, or seconds. It
prepares before the clock starts. Ours and the peer's run in turn (ours, peer, ours, peer, ...), so
that other load on the machine affects both, and the median of the runs is taken.
"""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from statistics import median
from typing import Any, TypeVar

RUNS = 3
"""Runs per side; the smallest number with a useful median."""

FIRST_EVENTS = 1_000
"""Events of a slow peer that are not timed, because of its constant cost."""

Side = Callable[[], float]

T = TypeVar("T")


class Sense(Enum):
    """Whether a goal is a minimum or a maximum."""

    AT_LEAST = "at least"
    AT_MOST = "at most"


@dataclass(frozen=True)
class Measure:
    """A quantity to measure and its goal.

    Attributes:
        name: the record's key in the results.
        unit: unit of ours and of the peer.
        goal: goal for the ratio ours / peer, or for ours if there is no peer.
        sense: whether the goal is a minimum or a maximum.
    """

    name: str
    unit: str
    goal: float
    sense: Sense


@dataclass(frozen=True)
class Measurement:
    """A measure and its runs.

    Attributes:
        measure: what was measured.
        ours_runs: one value per run, in the order of the runs.
        peer_runs: the peer's values; empty if there is no peer.
        sizes: the amount of work, in words.
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
        """Ours divided by the peer's; None without a peer."""
        return None if self.peer is None else self.ours / self.peer

    @property
    def met(self) -> bool:
        """Whether the ratio, or ours if there is no peer, meets the goal."""
        value = self.ours if self.ratio is None else self.ratio
        if self.measure.sense is Sense.AT_LEAST:
            return value >= self.measure.goal
        return value <= self.measure.goal

    def record(self) -> dict[str, Any]:
        """The measurement's record in ``results.json``."""
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
        """The measurement's entry in ``details.json``: the goal's sense, all runs, the sizes."""
        return {
            "sense": self.measure.sense.value,
            "ours_runs": list(self.ours_runs),
            "peer_runs": list(self.peer_runs),
            "sizes": self.sizes,
        }


def take_turns(*sides: Callable[[], T], runs: int = RUNS) -> list[tuple[T, ...]]:
    """Runs the sides one after the other, several times.

    Returns:
        A tuple for each side, with one value per run.
    """
    rounds = [[side() for side in sides] for _ in range(runs)]
    return list(zip(*rounds, strict=True))


def compare(measure: Measure, ours: Side, peer: Side, *, sizes: str) -> Measurement:
    """Measures ours against a peer."""
    ours_runs, peer_runs = take_turns(ours, peer)
    return Measurement(measure, ours_runs, peer_runs, sizes)


def compare_with_slow_peer(
    measure: Measure, ours: Side, peer: Callable[[int], Side], *, events: int, sample: int
) -> Measurement:
    """Measures ours against a peer so slow that its sample must be small.

    The constant cost would dominate the peer's rate, so its rate after the first events counts.
    These are measured immediately, twice, and the faster run is taken.

    Args:
        measure: what is measured.
        ours: our rate.
        peer: gives the side that measures the peer's rate on a number of events.
        events: number of events of ours.
        sample: number of events of the peer.
    """
    first_side, side = peer(FIRST_EVENTS), peer(sample)
    constant_seconds = FIRST_EVENTS / max(first_side(), first_side())

    def later_rate() -> float:
        return (sample - FIRST_EVENTS) / (sample / side() - constant_seconds)

    sizes = f"{events:,} events, peer {sample:,} of them"
    return compare(measure, ours, later_rate, sizes=sizes)


def seconds(work: Callable[[], object]) -> float:
    """Wall time of some work, after a garbage collection."""
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def rate(events: int, work: Callable[[], object]) -> float:
    """Events per second."""
    return events / seconds(work)
