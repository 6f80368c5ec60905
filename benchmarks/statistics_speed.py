"""Statistics speed: our StatisticsGen on Parquet against the stock node on tf.Examples.

The peer's constant cost is not counted, because its sample is small; ours is.
"""

from collections.abc import Iterator
from pathlib import Path

from tfx import v1 as tfx
from tfx.types.standard_artifacts import Examples

from benchmarks import command_line, generated_events, stock_nodes
from benchmarks.measurement import Measure, Measurement, Sense, Side, compare_with_slow_peer
from benchmarks.single_node import ingest, node_side, our_nodes, reviewed_schema
from formats.names import EVAL_SPLIT, STATISTICS_GEN, TRAIN_SPLIT

MEASURE = Measure("statistics", "events/s", 6, Sense.AT_LEAST)


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures StatisticsGen on our Parquet and on gzipped tf.Examples of the same events."""
    ours, peer = (2_000_000, 100_000) if quick else (8_000_000, 400_000)
    with generated_events.scratch_folder() as folder:
        yield compare_with_slow_peer(
            MEASURE,
            _our_side(folder / "ours", ours),
            lambda events: _stock_side(folder / str(events), events),
            events=ours,
            sample=peer,
        )


def _our_side(folder: Path, events: int) -> Side:
    num_train, num_eval = _split(events)
    shards = generated_events.write_shards(folder / "data", num_train=num_train, num_eval=num_eval)
    inputs = {"examples": ingest(shards, folder / "examples"), "schema": reviewed_schema()}
    return node_side(our_nodes(shards, folder)[STATISTICS_GEN], inputs, events, folder)


def _stock_side(folder: Path, events: int) -> Side:
    num_train, num_eval = _split(events)
    examples = stock_nodes.write_examples(
        folder / "examples",
        {
            TRAIN_SPLIT: generated_events.training_events(num_train),
            EVAL_SPLIT: generated_events.evaluation_events(num_eval),
        },
    )
    node = tfx.components.StatisticsGen(examples=tfx.dsl.Channel(type=Examples))
    return node_side(node, {"examples": examples}, events, folder)


def _split(events: int) -> tuple[int, int]:
    return events * 9 // 10, events // 10


if __name__ == "__main__":
    command_line.main(measure)
