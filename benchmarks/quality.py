"""Quality: our default model against the notebook's and against tuned gradient boosting.

python -m benchmarks.quality [--csv FILE] [--generated N] [--seeds N] [--quick]

The CSV is UCI's, or a part of it: its last 6,233 rows are looked at once, when all is decided, and
every validation event comes out of the rows before. Generated events are judged on 200,000 others.
Every model of every seed is a line of ``out/quality.jsonl``.
"""

import argparse
import dataclasses
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, stdev

import numpy as np

from benchmarks import command, data, machine, results
from benchmarks.boosting import LIBRARIES, Library, tune
from benchmarks.harness import Measure, Measurement, Sense
from benchmarks.judging import Quality, judge
from benchmarks.small_model import for_training
from models.columns import compute_columns
from models.fitting import fit
from models.hyperparameters import resolve
from models.input_data import Array, Events
from models.serving import outputs_of
from models.strategy import find_strategy
from pipeline.sample_data.csv_import import read_csv

REAL = Measure("quality", "AUC", 0.822, Sense.AT_LEAST)
GENERATED = Measure("quality_generated", "AUC", 1.0, Sense.AT_LEAST)

TEST_ROWS = 6_233
GENERATED_TEST_EVENTS = 200_000
VALIDATION_SHARE = 0.08

LINES = results.OUT / "quality.jsonl"

OURS = "default"

Model = Callable[[int], tuple[Array, float]]
"""From a seed to scores of the test events, [N], and the seconds that training took."""


@dataclass(frozen=True)
class Sample:
    """Events to learn from and to be judged on.

    Attributes:
      name: what they are.
      training: events to fit.
      validation: events to choose and stop by.
      test: events that nothing is chosen by.
    """

    name: str
    training: Events
    validation: Events
    test: Events


@dataclass(frozen=True)
class Line:
    """One model of one seed, judged."""

    sample: str
    model: str
    seed: int
    seconds: float
    quality: Quality


def real_sample(csv: Path) -> Sample:
    """The rows of a CSV, the last ones for the test."""
    chunks = list(read_csv(csv))
    rows = Events(
        np.concatenate([chunk.features for chunk in chunks]),
        np.concatenate([chunk.labels for chunk in chunks]).reshape(-1, 1),
    )
    learned, test = _split(rows, len(rows) - TEST_ROWS)
    return _sample(f"{len(learned):,} real", learned, test)


def generated_sample(count: int) -> Sample:
    """So many events of the toy."""
    learned = for_training(data.training_events(count))
    test = for_training(data.evaluation_events(GENERATED_TEST_EVENTS))
    return _sample(f"{count:,} generated", learned, test)


def _sample(name: str, learned: Events, test: Events) -> Sample:
    training, validation = _split(learned, round(len(learned) * (1 - VALIDATION_SHARE)))
    return Sample(name, training, validation, test)


def _split(events: Events, first: int) -> tuple[Events, Events]:
    return (
        Events(events.features[:first], events.labels[:first]),
        Events(events.features[first:], events.labels[first:]),
    )


def models_of(sample: Sample) -> Iterator[tuple[str, Callable[[], Model]]]:
    """Every model by name, as a function that prepares it."""
    for preset in (OURS, "kaggle"):
        yield preset, partial(_network, preset, sample)
    for name, library in LIBRARIES.items():
        for derived, columns in ((False, "raw"), (True, "derived")):
            yield f"{name}, {columns} columns", partial(_boosting, library, sample, derived)


def _network(preset: str, sample: Sample) -> Model:
    def train(seed: int) -> tuple[Array, float]:
        with tempfile.TemporaryDirectory() as logs:
            began = time.perf_counter()
            fitted = fit(
                *(sample.training, sample.validation, resolve(preset)),
                seed=seed,
                machine=find_strategy(),
                log_dir=logs,
            )
            seconds = time.perf_counter() - began
        return outputs_of(fitted.model, sample.test.features)[:, 0], seconds

    return train


def _boosting(library: Library, sample: Sample, derived: bool) -> Model:
    training, validation, test = (
        compute_columns(events, derived=derived)
        for events in (sample.training, sample.validation, sample.test)
    )
    settings, trees = tune(library, training, validation)
    both = Events(
        np.concatenate([training.features, validation.features]),
        np.concatenate([training.labels, validation.labels]),
    )

    def train(seed: int) -> tuple[Array, float]:
        began = time.perf_counter()
        predict = library.train(settings, trees, both, seed)
        seconds = time.perf_counter() - began
        return predict(test.features), seconds

    return train


def run(sample: Sample, seeds: int) -> list[Line]:
    """Trains and judges every model with every seed, and tells each as it comes."""
    lines = []
    for name, prepare in models_of(sample):
        train = prepare()
        for seed in range(1, seeds + 1):
            scores, seconds = train(seed)
            line = Line(sample.name, name, seed, seconds, judge(sample.test.labels[:, 0], scores))
            lines.append(line)
            with LINES.open("a", encoding="utf-8") as file:
                file.write(json.dumps(dataclasses.asdict(line)) + "\n")
            print(f"{sample.name}: {name}, seed {seed}: AUC {line.quality.auc:.4f}", flush=True)
    return lines


def table(lines: Sequence[Line]) -> str:
    """Mean and spread of each figure by model, as a Markdown table."""
    figures = [field.name for field in dataclasses.fields(Quality)]
    rows = [["sample", "model", *figures, "seconds"], ["---"] * (3 + len(figures))]
    for key in dict.fromkeys((line.sample, line.model) for line in lines):
        found = [line for line in lines if (line.sample, line.model) == key]
        values = [[getattr(line.quality, figure) for line in found] for figure in figures]
        rows.append([*key, *map(_spread, values), f"{mean(line.seconds for line in found):.0f}"])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _spread(values: Sequence[float]) -> str:
    spread = f" ± {stdev(values):.4f}" if len(values) > 1 else ""
    return f"{mean(values):.4f}{spread}"


def measurement(measure: Measure, lines: Sequence[Line], *, against_peers: bool) -> Measurement:
    """Our AUC by seed, beside that of the best boosted trees where wanted."""
    by_model: dict[str, list[float]] = {}
    for line in lines:
        by_model.setdefault(line.model, []).append(line.quality.auc)
    ours = by_model.pop(OURS)
    del by_model["kaggle"]
    best = max(by_model.values(), key=mean)
    return Measurement(measure, tuple(ours), tuple(best) if against_peers else (), lines[0].sample)


def main() -> None:
    """Runs from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--csv", type=Path, help="collisions with labels, as UCI publishes them")
    parser.add_argument("--generated", type=int, default=1_000_000, help="toy events; 0 for none")
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each model")
    parser.add_argument("--quick", action="store_true", help="100,000 toy events and one seed")
    arguments = parser.parse_args()
    seeds = 1 if arguments.quick else arguments.seeds
    count = min(arguments.generated, 100_000) if arguments.quick else arguments.generated
    LINES.parent.mkdir(parents=True, exist_ok=True)
    measured = []
    lines = []
    if arguments.csv:
        lines += run(real_sample(arguments.csv), seeds)
        measured.append(measurement(REAL, lines, against_peers=False))
    if count:
        generated = run(generated_sample(count), seeds)
        lines += generated
        measured.append(measurement(GENERATED, generated, against_peers=True))
    results.save(measured, machine.describe())
    print(table(lines))
    command.show(each.measure.name for each in measured)


if __name__ == "__main__":
    main()
