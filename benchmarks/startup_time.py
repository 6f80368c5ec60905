"""Start-up time: the duration of commands on hardly any input."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks import command_line, generated_events
from benchmarks.higgs_command import higgs
from benchmarks.measurement import Measure, Measurement, Sense, seconds, take_turns

GOALS = {"help": 0.5, "generate": 1, "inspect": 1, "convert": 1}

RUNS = 5


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures four commands, including their work on a few events."""
    del quick
    with generated_events.scratch_folder() as folder:
        shards = generated_events.write_shards(folder / "shards", num_train=10, num_eval=10)
        csv = folder / "few.csv"
        events = generated_events.evaluation_events(10)
        np.savetxt(csv, np.column_stack([events.labels, events.features]), "%.9g", ",")
        commands: dict[str, tuple[object, ...]] = {
            "help": ("--help",),
            "generate": ("generate", "--events", 10, "--out", folder / "generated", "--overwrite"),
            "inspect": ("inspect", shards / "training" / "shard-00000.tfrecord"),
            "convert": ("convert", csv, "--out", folder / "converted", "--overwrite"),
        }
        sides = [partial(seconds, partial(higgs, *command)) for command in commands.values()]
        for name, runs in zip(commands, take_turns(*sides, runs=RUNS), strict=True):
            goal = Measure(f"startup_{name}", "s", GOALS[name], Sense.AT_MOST)
            yield Measurement(goal, runs, sizes="ten events" if name != "help" else "")


if __name__ == "__main__":
    command_line.main(measure)
