"""Quality: our default model against the notebook's and against tuned gradient boosting.

python -m benchmarks.quality --csv HIGGS.csv.gz --generated 0
python -m benchmarks.quality --seeds 1 --only default --only "XGBoost, raw columns"

The CSV is UCI's, or a part of it. Its last 6,233 rows are the test events, which are not used for
any choice; the validation events are among the rows before. Models trained on generated events are
tested on 200,000 others.

A million events take hours. Every model of every seed is saved as a line of ``out/quality.jsonl``
at once, and is not trained again while code, machine and events are the same. So a run that was
stopped resumes when it is started again, and models can be trained one by one.
"""

import argparse
import logging
from collections.abc import Collection
from pathlib import Path

from benchmarks import command_line, machine_description, quality_results, saved_results
from benchmarks.measurement import Measure, Measurement, Sense
from benchmarks.quality_figures import measure_quality
from benchmarks.quality_models import MODELS, PEERS, Models
from benchmarks.quality_results import Result, measurements, origin_of, table
from benchmarks.quality_samples import Sample, generated_sample, real_sample

REAL = Measure("quality", "AUC", 0.822, Sense.AT_LEAST)
GENERATED = Measure("quality_generated", "AUC", 1.0, Sense.AT_LEAST)


def run(
    sample: Sample, seeds: int, models: Models = MODELS, *, only: Collection[str] = ()
) -> list[Result]:
    """Trains and tests models with the seeds 1, 2, ..., and prints each result.

    Args:
        sample: the events.
        seeds: number of trainings per model.
        models: all models.
        only: names of the models to train; empty for all.

    Returns:
        The results of all models, including those of earlier runs.
    """
    origin = origin_of(sample)
    results = {(result.model, result.seed): result for result in quality_results.load(origin)}
    for name, prepare in models.items():
        missing = [seed for seed in range(1, seeds + 1) if (name, seed) not in results]
        if not missing or (only and name not in only):
            continue
        print(f"{sample.name}: {name} ...", flush=True)
        train = prepare(sample)
        for seed in missing:
            scores, seconds = train(seed)
            quality = measure_quality(sample.test.labels[:, 0], scores)
            result = Result(origin, sample.name, name, seed, seconds, quality)
            results[name, seed] = result
            quality_results.append(result)
            print(
                f"{sample.name}: {name}, seed {seed}: AUC {quality.auc:.4f}, {seconds:.0f} s",
                flush=True,
            )
    keys = ((name, seed) for name in models for seed in range(1, seeds + 1))
    return [results[key] for key in keys if key in results]


def main() -> None:
    """Runs from the command line."""
    arguments = _parse_arguments()
    logging.basicConfig(format="%(message)s")
    logging.getLogger("higgs.trainer").setLevel(logging.INFO)
    seeds = 1 if arguments.quick else arguments.seeds
    count = min(arguments.generated, 100_000) if arguments.quick else arguments.generated
    all_measurements: list[Measurement] = []
    results: list[Result] = []
    if arguments.csv:
        real = run(real_sample(arguments.csv), seeds, only=arguments.only)
        results += real
        all_measurements += measurements(REAL, real, seeds)
    if count:
        generated = run(generated_sample(count), seeds, only=arguments.only)
        results += generated
        all_measurements += measurements(GENERATED, generated, seeds, peers=PEERS)
    print(table(results))
    if all_measurements:
        saved_results.save(all_measurements, machine_description.describe())
        command_line.show(measurement.measure.name for measurement in all_measurements)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--csv", type=Path, help="labelled collisions, as UCI publishes them")
    parser.add_argument("--generated", type=int, default=1_000_000, help="toy events; 0 for none")
    parser.add_argument("--seeds", type=int, default=5, help="trainings per model")
    parser.add_argument(
        "--only", action="append", default=[], choices=MODELS, help="a model to train; repeatable"
    )
    parser.add_argument("--quick", action="store_true", help="100,000 toy events and one seed")
    arguments = parser.parse_args()
    if arguments.seeds < 1:
        parser.error(f"--seeds {arguments.seeds}: give at least 1")
    return arguments


if __name__ == "__main__":
    main()
