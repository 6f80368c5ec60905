"""Evaluation: the Evaluator as the graph has it, against stock TFMA on tf.Examples.

The same model, the same metrics, the same slices. Both also evaluate the very
same events, and the benchmark fails if they do not come to the same numbers.

The peer's constant cost is not charged to it, because its sample is small; ours is.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from sklearn.metrics import roc_auc_score
from tfx.types import Artifact

from benchmarks import command, data, nodes, small_model, stock, stock_evaluation
from benchmarks.agreement import check_agreement
from benchmarks.harness import Measure, Measurement, Sense, beyond, compare

MEASURE = Measure("evaluation", "events/s", 5, Sense.AT_LEAST)

Inputs = dict[str, Artifact]


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures both Evaluators, and sees that they agree with each other and scikit-learn."""
    ours, peer = (100_000, 5_000) if quick else (500_000, 30_000)
    with data.scratch() as folder:
        model = small_model.make(folder / "model")
        our_node, peer_node = nodes.our_nodes(folder, folder)["Evaluator"], stock_evaluation.node()
        few, many = (_our_inputs(folder / str(count), count, model) for count in (peer, ours))
        first, stock_few = (
            _stock_inputs(folder / f"stock-{count}", count, model)
            for count in (stock.FIRST_EVENTS, peer)
        )
        measured = compare(
            MEASURE,
            ours=nodes.side(our_node, many, ours, folder / "ours"),
            peer=beyond(
                stock.FIRST_EVENTS,
                nodes.side(peer_node, first, stock.FIRST_EVENTS, folder / "first"),
                peer,
                nodes.side(peer_node, stock_few, peer, folder / "peer"),
            ),
            sizes=f"{ours:,} events, peer {peer:,} of them",
        )
        # The peer's first run was on the events that ours evaluates here.
        nodes.execute(our_node, few, folder / "ours-few")
        agreed = check_agreement(
            folder / "ours-few", folder / "peer" / "0", _exact_auc(model, peer)
        )
        yield dataclasses.replace(measured, sizes=f"{measured.sizes}; {agreed:,} numbers agree")


def _our_inputs(folder: Path, events: int, model: Artifact) -> Inputs:
    shards = data.write_shards(folder / "data", train=1, evaluation=events)
    return {
        "examples": nodes.ingest(shards, folder),
        "model": model,
        "schema": nodes.reviewed_schema(),
    }


def _stock_inputs(folder: Path, count: int, model: Artifact) -> Inputs:
    events = data.evaluation_events(count)
    columns = stock_evaluation.slice_texts(events)
    return {"examples": stock.write_examples(folder, {"eval": events}, columns), "model": model}


def _exact_auc(model: Artifact, count: int) -> float:
    events = data.evaluation_events(count)
    return float(roc_auc_score(events.labels, small_model.score(model, events)))


if __name__ == "__main__":
    command.main(measure)
