"""Overhead: the duration of a demo run without its training, and of a run with all nodes cached."""

from collections.abc import Iterator
from functools import partial
from importlib import resources
from pathlib import Path

from benchmarks import command_line, generated_events
from benchmarks.higgs_command import higgs
from benchmarks.measurement import RUNS, Measure, Measurement, Sense, seconds
from formats.names import TRAINER
from pipeline.metadata_store import latest_run

OVERHEAD = Measure("demo_overhead", "s", 60, Sense.AT_MOST)
CACHED = Measure("cached_run", "s", 25, Sense.AT_MOST)

# The events of `make demo`.
TRAIN_EVENTS, EVAL_EVENTS = 180_000, 20_000


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures `higgs run` on new roots, and again on the same; quick takes one run of each."""
    with generated_events.scratch_folder() as folder:
        shards = generated_events.write_shards(
            folder / "data", num_train=TRAIN_EVENTS, num_eval=EVAL_EVENTS
        )
        pairs = [_run_twice(shards, folder / str(run)) for run in range(1 if quick else RUNS)]
    first, second = zip(*pairs, strict=True)
    sizes = f"{TRAIN_EVENTS + EVAL_EVENTS:,} events"
    yield Measurement(OVERHEAD, first, sizes=f"{sizes}, without the Trainer's seconds")
    yield Measurement(CACHED, second, sizes=sizes)


def _run_twice(shards: Path, root: Path) -> tuple[float, float]:
    """Seconds of a first run without its Trainer, and of a second one with all nodes cached."""
    run = partial(
        higgs,
        "run",
        "--config",
        resources.files("configs") / "demo.yaml",
        f"--set=data_root={shards}",
        f"--set=root={root}",
    )
    metadata_path = str(root / "metadata" / "metadata.sqlite")
    first = seconds(run) - latest_run(metadata_path).nodes[TRAINER].seconds
    second = seconds(run)
    nodes = latest_run(metadata_path).nodes.values()
    repeated = {node.name for node in nodes if node.state != "cached"}
    if repeated:
        raise RuntimeError(f"a second run on the same data repeated {', '.join(sorted(repeated))}")
    return first, second


if __name__ == "__main__":
    command_line.main(measure)
