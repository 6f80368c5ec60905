"""Results of the quality benchmark: one JSON line per model and seed, and their table."""

import dataclasses
import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from benchmarks import machine_description, saved_results
from benchmarks.measurement import Measure, Measurement
from benchmarks.quality_figures import Quality
from benchmarks.quality_models import OURS
from benchmarks.quality_samples import Sample
from formats.source_version import source_digest
from pipeline.code_version import import_closure

RESULTS_FILE = saved_results.OUT / "quality.jsonl"

CODE = ("benchmarks.quality_figures", "benchmarks.quality_models", "benchmarks.tuned_boosting")
"""Modules that affect a result, together with the project's modules that they import."""


@dataclass(frozen=True)
class Result:
    """Quality of one model trained with one seed.

    Attributes:
        origin: from ``origin_of``; only results with the same origin are comparable.
        sample: name of the sample.
        model: name of the model.
        seed: seed of the training.
        seconds: training time without the tuning.
        quality: quality on the test events.
    """

    origin: str
    sample: str
    model: str
    seed: int
    seconds: float
    quality: Quality


def origin_of(sample: Sample) -> str:
    """A digest of the events, the code that trains on them, and the machine."""
    parts = [sample.digest(), source_digest(import_closure(CODE)), machine_description.describe()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def load(origin: str) -> list[Result]:
    """The saved results with this origin."""
    if not RESULTS_FILE.exists():
        return []
    records = map(json.loads, RESULTS_FILE.read_text(encoding="utf-8").splitlines())
    return [
        Result(**{**record, "quality": Quality(**record["quality"])})
        for record in records
        if record.get("origin") == origin
    ]


def append(result: Result) -> None:
    """Saves a result."""
    RESULTS_FILE.parent.mkdir(parents=True, exist_ok=True)
    with RESULTS_FILE.open("a", encoding="utf-8") as file:
        file.write(json.dumps(dataclasses.asdict(result)) + "\n")


def table(results: Sequence[Result]) -> str:
    """Mean and standard deviation of each figure by model, as a Markdown table."""
    figures = [field.name for field in dataclasses.fields(Quality)]
    rows = [["sample", "model", *figures, "seconds"], ["---"] * (3 + len(figures))]
    for key in dict.fromkeys((result.sample, result.model) for result in results):
        seeds = [result for result in results if (result.sample, result.model) == key]
        columns = [[getattr(result.quality, figure) for result in seeds] for figure in figures]
        seconds = f"{mean(result.seconds for result in seeds):.0f}"
        rows.append([*key, *map(_mean_and_std, columns), seconds])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _mean_and_std(values: Sequence[float]) -> str:
    std = f" ± {stdev(values):.4f}" if len(values) > 1 else ""
    return f"{mean(values):.4f}{std}"


def measurements(
    measure: Measure, results: Sequence[Result], seeds: int, *, peers: Collection[str] = ()
) -> list[Measurement]:
    """Our AUC by seed against the best peer's; empty while a seed of any model is missing."""
    aucs: dict[str, list[float]] = {}
    for result in results:
        aucs.setdefault(result.model, []).append(result.quality.auc)
    if any(len(aucs.get(model, ())) < seeds for model in (OURS, *peers)):
        return []
    best_peer = max((aucs[peer] for peer in peers), key=mean, default=[])
    return [Measurement(measure, tuple(aucs[OURS]), tuple(best_peer), results[0].sample)]
