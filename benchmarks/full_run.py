"""The data part of a full run: ingestion, statistics, validation and gate on 11 million events.

The peer of the cost of an event is ourselves at a million events: it should not grow.
"""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from benchmarks import command, data
from benchmarks.harness import RUNS, Measure, Measurement, Sense, take_turns
from benchmarks.memory import run_module

SECONDS = Measure("full_run", "s", 240, Sense.AT_MOST)
MEMORY = Measure("full_run_memory", "GB", 4, Sense.AT_MOST)
COST = Measure("full_run_cost", "us/event", 1.1, Sense.AT_MOST)

FULL, PART = (10_500_000, 500_000), (900_000, 100_000)

Cost = tuple[float, float]


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures both sizes in turns; quick takes one of each."""
    with data.scratch() as folder:
        full, part = (
            data.write_shards(folder / str(train), train=train, evaluation=evaluation)
            for train, evaluation in (FULL, PART)
        )
        roots = (folder / f"root-{number}" for number in count())
        full_runs, part_runs = take_turns(
            lambda: _data_part(full, next(roots)),
            lambda: _data_part(part, next(roots)),
            runs=1 if quick else RUNS,
        )
    seconds, memory = zip(*full_runs, strict=True)
    sizes = f"{sum(FULL):,} events"
    yield Measurement(SECONDS, seconds, sizes=sizes)
    yield Measurement(MEMORY, memory, sizes=f"{sizes}; peak of all processes together")
    yield Measurement(
        COST,
        tuple(1e6 * taken / sum(FULL) for taken in seconds),
        tuple(1e6 * taken / sum(PART) for taken, _ in part_runs),
        f"{sizes}, against ourselves at {sum(PART):,}",
    )


def _data_part(shards: Path, root: Path) -> Cost:
    """Seconds of work and peak gigabytes."""
    finished = run_module("benchmarks.data_part", shards, root)
    return float(finished.output.split()[-1]), finished.peak_bytes / 1e9


if __name__ == "__main__":
    command.main(measure)
