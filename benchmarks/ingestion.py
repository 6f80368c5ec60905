"""Ingestion: published shards to Examples, against stock ImportExampleGen with a decoding map."""

from collections.abc import Iterator

from benchmarks import command, data, nodes, stock
from benchmarks.harness import Measure, Measurement, Sense, compare

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
            ours=nodes.side(our_node, {}, ours, folder / "ours"),
            peer=nodes.side(stock.example_gen(few), {}, peer, folder / "peer"),
            sizes=f"{ours:,} events, peer {peer:,} of them",
        )


if __name__ == "__main__":
    command.main(measure)
