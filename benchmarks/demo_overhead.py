"""Overhead: what a whole demo run takes beside the training, and a run where all is cached."""

from collections.abc import Iterator
from functools import partial
from importlib import resources
from pathlib import Path

from benchmarks import command, data
from benchmarks.commands import higgs
from benchmarks.harness import RUNS, Measure, Measurement, Sense, seconds
from pipeline.metadata_store import RunOutcome, latest_run

OVERHEAD = Measure("demo_overhead", "s", 60, Sense.AT_MOST)
CACHED = Measure("cached_run", "s", 25, Sense.AT_MOST)

# As `make demo` has it.
TRAIN_EVENTS, EVAL_EVENTS = 180_000, 20_000

NEVER_CACHED = {"Baseline"}
"""A resolver: it looks for the latest blessed model in every run."""


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures `higgs run` on fresh roots, and again on them; quick takes one run of each."""
    with data.scratch() as folder:
        shards = data.write_shards(folder / "data", train=TRAIN_EVENTS, evaluation=EVAL_EVENTS)
        pairs = [_run_twice(shards, folder / str(run)) for run in range(1 if quick else RUNS)]
    first, second = zip(*pairs, strict=True)
    sizes = f"{TRAIN_EVENTS + EVAL_EVENTS:,} events"
    yield Measurement(OVERHEAD, first, sizes=f"{sizes}, without the Trainer's seconds")
    yield Measurement(CACHED, second, sizes=sizes)


def _run_twice(shards: Path, root: Path) -> tuple[float, float]:
    """Seconds of a first run but for its Trainer, and of a second one that finds all done."""
    run = partial(
        higgs,
        *("run", "--config", resources.files("configs") / "demo.yaml"),
        *(f"--set=data_root={shards}", f"--set=root={root}"),
    )
    whole = seconds(run)
    training = _outcome(root).nodes["Trainer"].seconds
    cached = seconds(run)
    again = {node.name for node in _outcome(root).nodes.values() if node.state != "cached"}
    if again - NEVER_CACHED:
        raise RuntimeError(f"a second run on the same data ran {', '.join(sorted(again))} again")
    return whole - training, cached


def _outcome(root: Path) -> RunOutcome:
    outcome = latest_run(str(root / "metadata" / "metadata.sqlite"))
    if outcome is None:
        raise RuntimeError(f"no run is recorded under {root}")
    return outcome


if __name__ == "__main__":
    command.main(measure)
