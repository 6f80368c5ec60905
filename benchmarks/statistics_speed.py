"""Statistics: StatisticsGen as the graph has it, against the stock node on tf.Examples.

The peer's constant cost is not charged to it, because its sample is small; ours is.
"""

from collections.abc import Iterator
from pathlib import Path

from tfx import v1 as tfx
from tfx.types.standard_artifacts import Examples

from benchmarks import command, data, nodes, stock
from benchmarks.harness import Measure, Measurement, Sense, Side, beyond, compare

MEASURE = Measure("statistics", "events/s", 6, Sense.AT_LEAST)


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures StatisticsGen on our Parquet and on gzipped tf.Examples of the same events."""
    ours, peer = (2_000_000, 100_000) if quick else (8_000_000, 400_000)
    with data.scratch() as folder:
        yield compare(
            MEASURE,
            ours=_our_side(folder / "ours", ours),
            peer=beyond(
                stock.FIRST_EVENTS,
                _stock_side(folder / "first", stock.FIRST_EVENTS),
                peer,
                _stock_side(folder / "peer", peer),
            ),
            sizes=f"{ours:,} events, peer {peer:,} of them",
        )


def _our_side(folder: Path, events: int) -> Side:
    train, evaluation = _splits(events)
    shards = data.write_shards(folder / "data", train=train, evaluation=evaluation)
    inputs = {
        "examples": nodes.ingest(shards, folder / "examples"),
        "schema": nodes.reviewed_schema(),
    }
    node = nodes.our_nodes(shards, folder)["StatisticsGen"]
    return nodes.side(node, inputs, events, folder)


def _stock_side(folder: Path, events: int) -> Side:
    train, evaluation = _splits(events)
    examples = stock.write_examples(
        folder / "examples",
        {"train": data.training_events(train), "eval": data.evaluation_events(evaluation)},
    )
    node = tfx.components.StatisticsGen(examples=tfx.dsl.Channel(type=Examples))
    return nodes.side(node, {"examples": examples}, events, folder)


def _splits(events: int) -> tuple[int, int]:
    return events * 9 // 10, events // 10


if __name__ == "__main__":
    command.main(measure)
