"""Ingestion and statistics in memory, on Flink's and on Spark's two workers.

    python -m benchmarks engines           200,000 and 2,000,000 events
    python -m benchmarks.engines --quick   20,000 and 200,000

Needs `make engines`. Prints a table, which it also writes to ``benchmarks/out/engines.md``. A run
that starts the workers precedes and does not count. The constant cost is that of the line through
the times of both sizes.
"""

import argparse
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import generated_events, saved_results
from benchmarks.single_node import Artifacts, execute, our_nodes
from formats.names import EXAMPLE_GEN, STATISTICS_GEN

ROOT = Path(__file__).parents[1]
ENGINES = {"memory": (), "Flink": ("flink", "cluster"), "Spark": ("spark",)}
"""How each engine is started: the tool in ``tools/engines`` and its form; memory needs none."""

FULL, QUICK = (200_000, 2_000_000), (20_000, 200_000)
TABLE = saved_results.OUT / "engines.md"

Times = dict[str, float]


@contextmanager
def running(engine: Sequence[str], state: Path) -> Iterator[list[str]]:
    """Runs an engine; yields the Beam options that use it."""
    if not engine:
        yield []
        return
    tool, *form = engine
    command = str(ROOT / "tools" / "engines" / tool)
    # Not the usual ports: another engine may run.
    environment = {**os.environ, "ENGINE_STATE": str(state)}
    environment |= {name: str(_free_port()) for name in ("JOB_PORT", "POOL_PORT")}

    def call(*arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 (our own tool)
            [command, *arguments], env=environment, stdout=subprocess.PIPE, text=True
        )
        if done.returncode:
            sys.exit(1)  # the tool has printed the reason
        return done.stdout

    try:
        options = call("start", *form).strip().removeprefix("beam.args=[").removesuffix("]")
        yield options.split(", ")
    finally:
        call("stop")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def measure(shards: Path, folder: Path, options: Sequence[str]) -> Times:
    """Times both nodes on the same shards: seconds by node."""
    nodes, times, inputs = our_nodes(shards, folder), {}, Artifacts()
    for name in (EXAMPLE_GEN, STATISTICS_GEN):
        start = time.perf_counter()
        inputs = execute(nodes[name], inputs, folder, options)
        times[name] = time.perf_counter() - start
    return times


def rows(engine: str, sizes: Sequence[int], times: Sequence[Times]) -> Iterator[str]:
    """Yields a line of the table per node."""
    (few, many), (first, second) = sizes, times
    for node in first:
        slope = (second[node] - first[node]) / (many - few)
        constant = max(0.0, first[node] - slope * few)
        rates = " | ".join(
            f"{time[node]:.1f} | {size / time[node]:,.0f}"
            for size, time in zip(sizes, times, strict=True)
        )
        yield f"| {engine} | {node} | {rates} | {constant:.1f} |"


def main() -> None:
    """Measures every engine at both sizes and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes")
    sizes = QUICK if parser.parse_args().quick else FULL
    headings = " | ".join(f"s, {size:,} events | events/s" for size in sizes)
    lines = [f"| engine | node | {headings} | constant, s |", "| --- | --- " + "| ---: " * 5 + "|"]
    with generated_events.scratch_folder() as folder:
        data = [
            generated_events.write_shards(
                folder / str(size), num_train=size * 9 // 10, num_eval=size // 10
            )
            for size in sizes
        ]
        for engine, form in ENGINES.items():
            with running(form, folder / f"{engine}-state") as options:
                # The first pipeline starts the workers.
                measure(data[0], folder / engine / "first", options)
                times = [measure(shards, folder / engine / shards.name, options) for shards in data]
            lines += rows(engine, sizes, times)
            print("\n".join(lines[-2:]), flush=True)
    text = "\n".join(lines) + "\n"
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    TABLE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
