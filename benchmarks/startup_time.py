"""Start-up: how long a command keeps a person waiting before it works, on next to no input."""

from collections.abc import Iterator
from functools import partial

from benchmarks import command, data
from benchmarks.commands import higgs
from benchmarks.harness import Measure, Measurement, Sense, seconds, take_turns

GOALS = {"help": 0.5, "generate": 1, "inspect": 1, "convert": 1}

RUNS = 5


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures four commands, the work on a few events included."""
    del quick
    with data.scratch() as folder:
        shards = data.write_shards(folder / "shards", train=10, evaluation=10)
        csv = folder / "few.csv"
        csv.write_text("\n".join(["1.0" + ",0.5" * 28] * 10) + "\n", encoding="utf-8")
        arguments: dict[str, tuple[object, ...]] = {
            "help": ("--help",),
            "generate": ("generate", "--events", 10, "--out", folder / "generated", "--overwrite"),
            "inspect": ("inspect", shards / "training" / "shard-00000.tfrecord"),
            "convert": ("convert", csv, "--out", folder / "converted", "--overwrite"),
        }
        sides = [partial(seconds, partial(higgs, *each)) for each in arguments.values()]
        for name, runs in zip(arguments, take_turns(*sides, runs=RUNS), strict=True):
            goal = Measure(f"startup_{name}", "s", GOALS[name], Sense.AT_MOST)
            yield Measurement(goal, runs, sizes="ten events" if name != "help" else "")


if __name__ == "__main__":
    command.main(measure)
