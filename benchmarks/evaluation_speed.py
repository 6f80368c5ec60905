"""Evaluation speed: our Evaluator against stock TFMA on tf.Examples.

The model is that of the default preset, as sized for 30,000 events, with random weights; a small
one shows the cost of the Evaluators themselves. Both Evaluators use the same model, metrics
and slices. They also evaluate exactly the same events, and the benchmark fails if their numbers
differ.

The peer's constant cost is not counted, because its sample is small; ours is.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from sklearn.metrics import roc_auc_score
from tfx.types import Artifact, standard_artifacts
from tfx.utils import path_utils

from benchmarks import (
    command_line,
    generated_events,
    single_node,
    small_model,
    stock_evaluation,
    stock_nodes,
)
from benchmarks.evaluation_agreement import check_agreement
from benchmarks.measurement import Measure, Measurement, Sense, Side, compare_with_slow_peer
from benchmarks.scoring_speed import export_model
from formats.names import EVAL_SPLIT, EVALUATOR

DEFAULT_MODEL = Measure("evaluation", "events/s", 5, Sense.AT_LEAST)
SMALL_MODEL = Measure("evaluation_small_model", "events/s", 5, Sense.AT_LEAST)

Inputs = dict[str, Artifact]


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures both Evaluators with the model of the default preset, and with a small one."""
    sizes = (100_000, 5_000) if quick else (500_000, 30_000)
    with generated_events.scratch_folder() as folder:
        default = standard_artifacts.Model()
        default.uri = str(folder / "default-model")
        export_model(Path(path_utils.serving_model_path(default.uri)))
        yield _against_stock(DEFAULT_MODEL, default, *sizes, folder / "default")
        small = small_model.train_small_model(folder / "small-model")
        yield _against_stock(SMALL_MODEL, small, *sizes, folder / "small")


def _against_stock(
    measure: Measure, model: Artifact, ours: int, peer: int, folder: Path
) -> Measurement:
    """Compares rates, and the numbers of both Evaluators with each other and scikit-learn."""
    our_node = single_node.our_nodes(folder, folder)[EVALUATOR]
    peer_node = stock_evaluation.stock_evaluator()

    def stock_side(count: int) -> Side:
        inputs = _stock_inputs(folder / f"stock-{count}", count, model)
        return single_node.node_side(peer_node, inputs, count, folder / f"peer-{count}")

    measurement = compare_with_slow_peer(
        measure,
        single_node.node_side(
            our_node, _our_inputs(folder / str(ours), ours, model), ours, folder / "ours"
        ),
        stock_side,
        events=ours,
        sample=peer,
    )
    # The events of the peer's runs.
    few_inputs = _our_inputs(folder / str(peer), peer, model)
    single_node.execute(our_node, few_inputs, folder / "ours-few")
    num_equal = check_agreement(
        folder / "ours-few", folder / f"peer-{peer}" / "0", _exact_auc(model, peer)
    )
    sizes = f"{measurement.sizes}; {num_equal:,} numbers agree"
    return dataclasses.replace(measurement, sizes=sizes)


def _our_inputs(folder: Path, events: int, model: Artifact) -> Inputs:
    shards = generated_events.write_shards(folder / "data", num_train=1, num_eval=events)
    return {
        "examples": single_node.ingest(shards, folder),
        "model": model,
        "schema": single_node.reviewed_schema(),
    }


def _stock_inputs(folder: Path, count: int, model: Artifact) -> Inputs:
    events = generated_events.evaluation_events(count)
    columns = stock_evaluation.slice_texts(events)
    examples = stock_nodes.write_examples(folder, {EVAL_SPLIT: events}, columns)
    return {"examples": examples, "model": model}


def _exact_auc(model: Artifact, count: int) -> float:
    events = generated_events.evaluation_events(count)
    return float(roc_auc_score(events.labels, small_model.score(model, events)))


if __name__ == "__main__":
    command_line.main(measure)
