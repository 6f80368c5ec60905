"""Ingestion speed: our ingestion of published shards against stock ImportExampleGen.

The peer decodes records with a map. Its constant cost is not counted, because its sample is small;
ours is.
"""

from collections.abc import Iterator
from pathlib import Path

from benchmarks import command_line, generated_events, stock_nodes
from benchmarks.measurement import Measure, Measurement, Sense, Side, compare_with_slow_peer
from benchmarks.single_node import node_side, our_nodes
from formats.names import EXAMPLE_GEN

MEASURE = Measure("ingestion", "events/s", 25, Sense.AT_LEAST)


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures both executors on real Beam, each on as many events as take seconds."""
    ours, peer = (600_000, 20_000) if quick else (4_000_000, 100_000)
    with generated_events.scratch_folder() as folder:
        our_node = our_nodes(_write_shards(folder, ours), folder)[EXAMPLE_GEN]
        yield compare_with_slow_peer(
            MEASURE,
            node_side(our_node, {}, ours, folder / "ours"),
            lambda events: _stock_side(folder / str(events), events),
            events=ours,
            sample=peer,
        )


def _stock_side(folder: Path, events: int) -> Side:
    node = stock_nodes.example_gen(_write_shards(folder, events))
    return node_side(node, {}, events, folder)


def _write_shards(folder: Path, events: int) -> Path:
    return generated_events.write_shards(
        folder / "data", num_train=events * 9 // 10, num_eval=events // 10
    )


if __name__ == "__main__":
    command_line.main(measure)
