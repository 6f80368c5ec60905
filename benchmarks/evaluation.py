"""Evaluation: the Evaluator as the graph has it, against stock TFMA on tf.Examples.

The same model, the same metrics, the same slices. Both also evaluate the very
same events, and the benchmark fails if they do not come to the same numbers.
"""

from collections.abc import Iterator
from pathlib import Path

from sklearn.metrics import roc_auc_score
from tfx.dsl.components.base.base_node import BaseNode
from tfx.types import Artifact

from benchmarks import command, data, nodes, small_model, stock, stock_evaluation
from benchmarks.agreement import check_agreement
from benchmarks.harness import Measure, Measurement, Sense, compare

MEASURE = Measure("evaluation", "events/s", 5, Sense.AT_LEAST)

Inputs = dict[str, Artifact]


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures both Evaluators, after seeing that they agree with each other and scikit-learn."""
    ours, peer = (200_000, 10_000) if quick else (500_000, 50_000)
    with data.scratch() as folder:
        model = small_model.make(folder / "model")
        events = data.evaluation_events(peer)
        named = stock.write_examples(
            folder / "named", {"eval": events}, stock_evaluation.slice_texts(events)
        )
        our_node = nodes.our_nodes(folder, folder)["Evaluator"]
        few, many = (_our_inputs(folder / str(count), count, model) for count in (peer, ours))
        peer_node, peer_inputs = stock_evaluation.evaluator(), {"examples": named, "model": model}
        agreed = check_agreement(
            _evaluation(our_node, few, folder / "ours-few"),
            _evaluation(peer_node, peer_inputs, folder / "peer-few"),
            float(roc_auc_score(events.labels, small_model.score(model, events))),
        )
        yield compare(
            MEASURE,
            ours=nodes.side(our_node, many, ours, folder / "ours"),
            peer=nodes.side(peer_node, peer_inputs, peer, folder / "peer"),
            sizes=f"{ours:,} events, peer {peer:,} of them; {agreed:,} numbers agree",
        )


def _our_inputs(folder: Path, events: int, model: Artifact) -> Inputs:
    shards = data.write_shards(folder / "data", train=1, evaluation=events)
    return {
        "examples": nodes.ingest(shards, folder),
        "model": model,
        "schema": nodes.reviewed_schema(),
    }


def _evaluation(node: BaseNode, inputs: Inputs, folder: Path) -> str:
    return str(nodes.execute(node, inputs, folder)["evaluation"].uri)


if __name__ == "__main__":
    command.main(measure)
