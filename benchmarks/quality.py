"""Quality: our default model against the notebook's and against tuned gradient boosting.

python -m benchmarks.quality --csv HIGGS.csv.gz --generated 0
python -m benchmarks.quality --seeds 1 --only default --only "XGBoost, raw columns"

The CSV is UCI's, or a part of it: its last 6,233 rows are looked at once, when all is decided, and
every validation event comes out of the rows before. Generated events are judged on 200,000 others.

A million events take hours. Every model of every seed is a line of ``out/quality.jsonl`` as soon as
it is judged, and is not trained again while code, machine and events are the same: a run that was
stopped goes on when it is started again, and models can be taken one by one.
"""

import argparse
import dataclasses
import hashlib
import json
import logging
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
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
from formats.hyperparameters import resolve
from models.event_table import Array, Events
from models.input_columns import compute_columns
from models.serving.assembly import outputs_of
from models.training.model_fit import fit
from models.training.strategy import find_strategy
from pipeline.code_version import code_digest
from pipeline.sample_data.csv_import import read_csv

REAL = Measure("quality", "AUC", 0.822, Sense.AT_LEAST)
GENERATED = Measure("quality_generated", "AUC", 1.0, Sense.AT_LEAST)

TEST_ROWS = 6_233
GENERATED_TEST_EVENTS = 200_000
VALIDATION_SHARE = 0.08

LINES = results.OUT / "quality.jsonl"

CODE = ("models", "benchmarks.boosting", "benchmarks.judging", "benchmarks.quality")
"""What decides a line, beside the events and the machine."""

OURS, NOTEBOOK = "default", "kaggle"

Model = Callable[[int], tuple[Array, float]]
"""From a seed to scores of the test events, [N], and the seconds that training took."""

Models = Mapping[str, Callable[["Sample"], Model]]
"""By name, from a sample to what trains on it; the events are prepared, the settings tuned."""


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

    def origin(self) -> str:
        """A digest of the events, of the code that learns from them and of the machine."""
        made_by = [self.name, code_digest(*CODE), machine.describe()]
        digest = hashlib.sha256(json.dumps(made_by).encode())
        for events in (self.training, self.validation, self.test):
            digest.update(events.features.tobytes())
            digest.update(events.labels.tobytes())
        return digest.hexdigest()[:12]


@dataclass(frozen=True)
class Line:
    """One model of one seed, judged.

    Attributes:
      origin: the sample's; lines of different ones are not to be compared.
      sample: its name.
      model: the model's name.
      seed: what it was trained with.
      seconds: of the training; tuning is not among them.
      quality: on the test events.
    """

    origin: str
    sample: str
    model: str
    seed: int
    seconds: float
    quality: Quality


def real_sample(csv: Path) -> Sample:
    """The rows of a CSV, the last ones for the test.

    Raises:
      ValueError: it has no more rows than the test alone takes.
    """
    chunks = list(read_csv(csv))
    rows = Events(
        np.concatenate([chunk.features for chunk in chunks]),
        np.concatenate([chunk.labels for chunk in chunks]).reshape(-1, 1),
    )
    if len(rows) <= TEST_ROWS:
        raise ValueError(
            f"{csv}: {len(rows):,} rows, of which the last {TEST_ROWS:,} are the test; give more"
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


def _boosting(library: Library, derived: bool, sample: Sample) -> Model:
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


MODELS: Models = {
    OURS: partial(_network, OURS),
    **{
        f"{name}, {columns} columns": partial(_boosting, library, derived)
        for name, library in LIBRARIES.items()
        for derived, columns in ((False, "raw"), (True, "derived"))
    },
    NOTEBOOK: partial(_network, NOTEBOOK),
}
PEERS = MODELS.keys() - {OURS, NOTEBOOK}


def run(
    sample: Sample, seeds: int, models: Models = MODELS, *, only: Collection[str] = ()
) -> list[Line]:
    """Trains and judges models with the seeds 1, 2, ..., and tells each as it comes.

    Args:
      sample: what they learn from.
      seeds: trainings of each model.
      models: all there are.
      only: names of those to train; empty for all.

    Returns:
      The lines of all models, those of earlier runs too.
    """
    origin = sample.origin()
    lines = {(line.model, line.seed): line for line in _kept(origin)}
    for name, prepare in models.items():
        missing = [seed for seed in range(1, seeds + 1) if (name, seed) not in lines]
        if not missing or (only and name not in only):
            continue
        print(f"{sample.name}: {name} ...", flush=True)
        train = prepare(sample)
        for seed in missing:
            scores, seconds = train(seed)
            quality = judge(sample.test.labels[:, 0], scores)
            line = Line(origin, sample.name, name, seed, seconds, quality)
            lines[name, seed] = line
            _keep(line)
            print(
                f"{sample.name}: {name}, seed {seed}: AUC {quality.auc:.4f}, {seconds:.0f} s",
                flush=True,
            )
    wanted = ((name, seed) for name in models for seed in range(1, seeds + 1))
    return [lines[key] for key in wanted if key in lines]


def _kept(origin: str) -> list[Line]:
    """The lines of one origin."""
    if not LINES.exists():
        return []
    records = map(json.loads, LINES.read_text(encoding="utf-8").splitlines())
    return [
        Line(**{**record, "quality": Quality(**record["quality"])})
        for record in records
        if record.get("origin") == origin
    ]


def _keep(line: Line) -> None:
    LINES.parent.mkdir(parents=True, exist_ok=True)
    with LINES.open("a", encoding="utf-8") as file:
        file.write(json.dumps(dataclasses.asdict(line)) + "\n")


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


def measurements(
    measure: Measure, lines: Sequence[Line], seeds: int, *, peers: Collection[str] = ()
) -> list[Measurement]:
    """Our AUC by seed, beside that of the best peer; nothing while a seed of any is missing."""
    by_model: dict[str, list[float]] = {}
    for line in lines:
        by_model.setdefault(line.model, []).append(line.quality.auc)
    if any(len(by_model.get(model, ())) < seeds for model in (OURS, *peers)):
        return []
    best = max((by_model[peer] for peer in peers), key=mean, default=[])
    return [Measurement(measure, tuple(by_model[OURS]), tuple(best), lines[0].sample)]


def main() -> None:
    """Runs from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--csv", type=Path, help="collisions with labels, as UCI publishes them")
    parser.add_argument("--generated", type=int, default=1_000_000, help="toy events; 0 for none")
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each model")
    parser.add_argument(
        "--only", action="append", default=[], choices=MODELS, help="a model to train; repeat it"
    )
    parser.add_argument("--quick", action="store_true", help="100,000 toy events and one seed")
    arguments = parser.parse_args()
    if arguments.seeds < 1:
        parser.error(f"--seeds {arguments.seeds}: give at least 1")
    logging.basicConfig(format="%(message)s")
    logging.getLogger("higgs.trainer").setLevel(logging.INFO)
    seeds = 1 if arguments.quick else arguments.seeds
    count = min(arguments.generated, 100_000) if arguments.quick else arguments.generated
    measured: list[Measurement] = []
    lines: list[Line] = []
    if arguments.csv:
        real = run(real_sample(arguments.csv), seeds, only=arguments.only)
        lines += real
        measured += measurements(REAL, real, seeds)
    if count:
        generated = run(generated_sample(count), seeds, only=arguments.only)
        lines += generated
        measured += measurements(GENERATED, generated, seeds, peers=PEERS)
    print(table(lines))
    if measured:
        results.save(measured, machine.describe())
        command.show(each.measure.name for each in measured)


if __name__ == "__main__":
    main()
