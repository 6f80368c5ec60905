"""Ingestion: published shards to Examples, against stock ImportExampleGen with a decoding map."""

from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

from tfx.dsl.components.base.base_node import BaseNode

from benchmarks import command, data, nodes, stock
from benchmarks.harness import Measure, Measurement, Sense, Side, compare, rate

MEASURE = Measure("ingestion", "events/s", 25, Sense.AT_LEAST)


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures both executors on real Beam, each on as many events as take it seconds."""
    ours, peer = (600_000, 20_000) if quick else (4_000_000, 100_000)
    with data.scratch() as folder:
        many = data.write_shards(folder / "many", train=ours * 9 // 10, evaluation=ours // 10)
        few = data.write_shards(folder / "few", train=peer * 9 // 10, evaluation=peer // 10)
        our_node = nodes.our_nodes(many, folder)["CollisionExampleGen"]
        yield compare(
            MEASURE,
            ours=_side(our_node, ours, folder / "ours"),
            peer=_side(stock.example_gen(few), peer, folder / "peer"),
            sizes=f"{ours:,} events, peer {peer:,} of them",
        )


def _side(node: BaseNode, events: int, folder: Path) -> Side:
    runs = count()

    def side() -> float:
        out = folder / str(next(runs))
        return rate(events, partial(nodes.execute, node, {}, out))

    return side


if __name__ == "__main__":
    command.main(measure)
