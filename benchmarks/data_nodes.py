"""Data nodes on 11 million events: ingestion, statistics, histograms, validation and gate.

The peer of the cost per event is our own cost at a million events: it should not grow.
"""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from benchmarks import command_line, generated_events
from benchmarks.measurement import RUNS, Measure, Measurement, Sense, take_turns
from benchmarks.process_memory import run_module

SECONDS = Measure("data_nodes", "s", 240, Sense.AT_MOST)
MEMORY = Measure("data_nodes_memory", "GB", 4, Sense.AT_MOST)
COST = Measure("data_nodes_cost", "us/event", 1.1, Sense.AT_MOST)

FULL, PART = (10_500_000, 500_000), (900_000, 100_000)
"""Number of training and validation events."""


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures both sizes in turn; quick takes one run of each."""
    with generated_events.scratch_folder() as folder:
        full, part = (
            generated_events.write_shards(
                folder / str(num_train), num_train=num_train, num_eval=num_eval
            )
            for num_train, num_eval in (FULL, PART)
        )
        roots = (folder / f"root-{number}" for number in count())
        full_runs, part_runs = take_turns(
            lambda: _run(full, next(roots)),
            lambda: _run(part, next(roots)),
            runs=1 if quick else RUNS,
        )
    seconds, gigabytes = zip(*full_runs, strict=True)
    sizes = f"{sum(FULL):,} events"
    yield Measurement(SECONDS, seconds, sizes=sizes)
    yield Measurement(MEMORY, gigabytes, sizes=f"{sizes}; peak of all processes together")
    yield Measurement(
        COST,
        tuple(1e6 * duration / sum(FULL) for duration in seconds),
        tuple(1e6 * duration / sum(PART) for duration, _ in part_runs),
        f"{sizes}, against ourselves at {sum(PART):,}",
    )


def _run(shards: Path, root: Path) -> tuple[float, float]:
    """Duration in seconds and peak memory in gigabytes."""
    result = run_module("benchmarks.run_to_data_gate", shards, root)
    return float(result.output.split()[-1]), result.peak_bytes / 1e9


if __name__ == "__main__":
    command_line.main(measure)
