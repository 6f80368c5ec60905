"""Equality of the runtimes: scores of the SavedModel and of ``model.onnx`` for the same events.

The model is an exported one, or by default that of the default preset with random weights. The
events are generated ones, and those of a CSV file if one is given.

    python -m benchmarks.runtime_agreement [--model DIR] [--csv FILE]
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.generated_events import scratch_folder, training_events
from benchmarks.scoring_speed import export_model
from components.scorer.file_scoring import BATCH_ROWS
from components.scorer.model_runtime import Model, load_model
from formats.names import ONNX_FILE
from models.event_table import Array
from pipeline.intake.event_source import read_source
from pipeline.intake.input_sources import Source
from pipeline.intake.table_events import Counts, IntakeOptions

GENERATED_EVENTS = 100_000

LIMITS = (1e-6, 1e-5, 1e-4, 1e-3)


def compare(model: Path, csv: Path | None) -> Iterator[str]:
    """Yields one line per set of events."""
    saved_model, onnx = load_model(str(model)), load_model(str(model / ONNX_FILE))
    yield _line("generated", training_events(GENERATED_EVENTS).features, saved_model, onnx)
    if csv:
        events = read_source(Source(str(csv), csv), IntakeOptions(), Counts(), lambda _: None)
        features = np.concatenate([block.features for block in events])
        yield _line(csv.name, features, saved_model, onnx)


def _line(name: str, features: Array, saved_model: Model, onnx: Model) -> str:
    starts = range(0, len(features), BATCH_ROWS)
    blocks = [features[start : start + BATCH_ROWS] for start in starts]
    difference = np.concatenate([np.abs(saved_model(block) - onnx(block)) for block in blocks])
    counts = ", ".join(f"{(difference > limit).sum():,} above {limit:g}" for limit in LIMITS)
    return f"{name}: {len(features):,} events, largest difference {difference.max():.2g}; {counts}"


def main() -> None:
    """Prints the differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="folder with a SavedModel and model.onnx")
    parser.add_argument("--csv", type=Path, help="labelled events, as `higgs convert` reads them")
    arguments = parser.parse_args()
    with scratch_folder() as folder:
        model = arguments.model or Path(export_model(folder / "model"))
        for line in compare(model, arguments.csv):
            print(line, flush=True)


if __name__ == "__main__":
    main()
