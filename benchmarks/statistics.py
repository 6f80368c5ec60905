"""Statistics: StatisticsGen as the graph has it, against the stock node on tf.Examples."""

from collections.abc import Iterator

from tfx import v1 as tfx

from benchmarks import command, data, nodes, stock
from benchmarks.harness import Measure, Measurement, Sense, compare

MEASURE = Measure("statistics", "events/s", 6, Sense.AT_LEAST)


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures StatisticsGen on our Parquet and on gzipped tf.Examples of the same events."""
    ours, peer = (500_000, 40_000) if quick else (4_000_000, 200_000)
    with data.scratch() as folder:
        examples = nodes.ingest(
            data.write_shards(folder / "data", train=ours * 9 // 10, evaluation=ours // 10),
            folder / "examples",
        )
        named = stock.write_examples(
            folder / "named",
            {
                "train": data.training_events(peer * 9 // 10),
                "eval": data.evaluation_events(peer // 10),
            },
        )
        our_inputs = {"examples": examples, "schema": nodes.reviewed_schema()}
        our_node = nodes.our_nodes(folder / "data", folder)["StatisticsGen"]
        peer_node = tfx.components.StatisticsGen(examples=tfx.dsl.Channel(type=type(named)))
        yield compare(
            MEASURE,
            ours=nodes.side(our_node, our_inputs, ours, folder / "ours"),
            peer=nodes.side(peer_node, {"examples": named}, peer, folder / "peer"),
            sizes=f"{ours:,} events, peer {peer:,} of them",
        )


if __name__ == "__main__":
    command.main(measure)
