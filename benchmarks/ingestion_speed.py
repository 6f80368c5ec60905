"""Ingestion: published shards to Examples, against stock ImportExampleGen with a decoding map.

The peer's constant cost is not charged to it, because its sample is small; ours is.
"""

from collections.abc import Iterator
from pathlib import Path

from benchmarks import command, data, nodes, stock
from benchmarks.harness import Measure, Measurement, Sense, Side, beyond, compare

MEASURE = Measure("ingestion", "events/s", 25, Sense.AT_LEAST)


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures both executors on real Beam, each on as many events as take it seconds."""
    ours, peer = (600_000, 20_000) if quick else (4_000_000, 100_000)
    with data.scratch() as folder:
        our_node = nodes.our_nodes(_shards(folder, ours), folder)["CollisionExampleGen"]
        yield compare(
            MEASURE,
            ours=nodes.side(our_node, {}, ours, folder / "ours"),
            peer=beyond(
                stock.FIRST_EVENTS,
                _stock_side(folder / "first", stock.FIRST_EVENTS),
                peer,
                _stock_side(folder / "peer", peer),
            ),
            sizes=f"{ours:,} events, peer {peer:,} of them",
        )


def _stock_side(folder: Path, events: int) -> Side:
    node = stock.example_gen(_shards(folder, events))
    return nodes.side(node, {}, events, folder)


def _shards(folder: Path, events: int) -> Path:
    return data.write_shards(folder / "data", train=events * 9 // 10, evaluation=events // 10)


if __name__ == "__main__":
    command.main(measure)
