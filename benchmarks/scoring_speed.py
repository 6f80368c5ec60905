"""Scoring from TFRecord shards to Parquet: ``higgs score`` against the rate of the model alone.

The model is that of the default preset, as sized for 30,000 events, with random weights, which do
not affect its rate. The peer calls it with the same events in memory.
"""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pyarrow import parquet as pq

from benchmarks import command_line, generated_events
from benchmarks.measurement import Measure, Measurement, Sense, compare, rate, seconds
from benchmarks.process_memory import run_module
from benchmarks.trainings import random_model
from components.scorer.file_scoring import BATCH_ROWS, ScoreTask, score_file
from components.scorer.model_runtime import loaded_model
from formats.names import ONNX_FILE
from formats.published.record import Events
from models.physics.input_columns import compute_columns
from models.serving.onnx_model import to_onnx
from models.serving.saved_model import export
from pipeline.intake.scored_rows import file_rows

RUNTIMES = {"savedmodel": "", "onnx": f"/{ONNX_FILE}"}
"""The runtimes that are measured, with the path of their model in an export."""

MEMORY = Measure("score_memory", "GB", 2, Sense.AT_MOST)
MILLION = Measure("score_million", "s", 120, Sense.AT_MOST)

_TRAIN_EVENTS = 30_000
_MILLION = 1_000_000


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures each runtime, and the command on a million events."""
    count = 50_000 if quick else 200_000
    with generated_events.scratch_folder() as folder:
        model = export_model(folder / "model")
        events = generated_events.training_events(count)
        shards = generated_events.write_shards(folder / "data", num_train=count, num_eval=1)
        for name, path in RUNTIMES.items():
            yield _compare(name, f"{model}{path}", events, shards / "training", folder)
        if not quick:
            large = generated_events.write_shards(folder / "large", num_train=_MILLION, num_eval=1)
            yield from _measure_command(model, large / "training", folder / "scores")


def export_model(folder: Path) -> str:
    """Exports the default model with random weights to a folder; returns its path."""
    events = generated_events.to_table(generated_events.training_events(_TRAIN_EVENTS))
    model = random_model(_TRAIN_EVENTS, compute_columns(events, derived=True))
    export(model, str(folder))
    (folder / ONNX_FILE).write_bytes(to_onnx(model).SerializeToString())
    return str(folder)


def _compare(name: str, model: str, events: Events, shards: Path, folder: Path) -> Measurement:
    score = loaded_model(model, name)
    score(events.features[:BATCH_ROWS])
    count, out = len(events.features), folder / name

    def score_memory() -> None:
        for start in range(0, count, BATCH_ROWS):
            score(events.features[start : start + BATCH_ROWS])

    def score_shards() -> None:
        shutil.rmtree(out, ignore_errors=True)
        for index, shard in enumerate(sorted(shards.iterdir())):
            source = file_rows(str(shard), (), "", False)
            score_file(ScoreTask(source, f"{out}/{index}.parquet", model, name))
        assert pq.read_table(out).num_rows == count

    return compare(
        Measure(f"score_shards_{name}", "events/s", 0.8, Sense.AT_LEAST),
        ours=partial(rate, count, score_shards),
        peer=partial(rate, count, score_memory),
        sizes=f"{count:,} events, default preset for {_TRAIN_EVENTS:,}",
    )


def _measure_command(model: str, shards: Path, out: Path) -> Iterator[Measurement]:
    arguments = ("score", "--model", model, "--input", shards, "--out", out)
    results = []
    duration = seconds(lambda: results.append(run_module("pipeline.cli.main", *arguments)))
    assert f"{_MILLION:,} rows" in results[0].output
    assert sum(pq.read_metadata(path).num_rows for path in out.rglob("*.parquet")) == _MILLION
    sizes = f"{_MILLION:,} events, SavedModel of the default preset"
    yield Measurement(MILLION, (duration,), sizes=sizes)
    yield Measurement(MEMORY, (results[0].peak_bytes / 1e9,), sizes=sizes)


if __name__ == "__main__":
    command_line.main(measure)
