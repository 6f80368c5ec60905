"""Error rates of DataGate: how often it refuses clean data, and misses planted faults.

Data sets are drawn without replacement from generated events and divided at random. DataGate's own
check reads the hashes and statistics that are written for them, as ingestion and StatisticsGen do.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from scipy.stats import binom
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import (
    ExampleAnomalies,
    Examples,
    ExampleStatistics,
    Schema,
)

from benchmarks.generated_events import scratch_folder, training_events
from benchmarks.measurement import Measure, Measurement, Sense
from components.data_gate.executor import check_data
from formats import ingested_shards, names
from formats.artifact_types import DataVerdict
from formats.errors import DataRefusedError
from formats.event_hash import event_hashes
from formats.features import FEATURES, LABEL
from formats.hash_runs import folder_of, run_path, write_run
from formats.ingested_shards import IngestedShard, IngestionFile
from formats.published.record import Events

DATA_SETS = 1000
SIZES = (1_000, 10_000)
POOL = 200_000
SHARES = {"train": 0.6, "eval": 0.2, "test": 0.2}
MAX_DUPLICATE_SHARE = 0.1
"""The default of ``ingestion.max_duplicate_share``."""

MAX_FALSE_REFUSALS = 1e-3

Splits = dict[str, Events]
Fault = Callable[[Splits, np.random.Generator], Splits]


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures the share of clean data sets that are refused, and of faulty ones that pass."""
    count = DATA_SETS // 10 if quick else DATA_SETS
    pool = training_events(POOL)
    with scratch_folder() as folder:
        gate = DataGate(folder)
        for events in SIZES:
            refused = sum(gate.refuses(split_up(pool, events, seed)) for seed in range(count))
            limit = float(binom.ppf(0.975, count, MAX_FALSE_REFUSALS)) / count
            yield Measurement(
                Measure(f"clean data refused, {events:,} events", "", limit, Sense.AT_MOST),
                (refused / count,),
                sizes=f"{refused} of {count} data sets; goal {MAX_FALSE_REFUSALS:g}",
            )
            for name, fault in FAULTS.items():
                repeats = count // 20
                rng = np.random.default_rng(events)
                faulty = (fault(split_up(pool, events, seed), rng) for seed in range(repeats))
                missed = sum(not gate.refuses(splits) for splits in faulty)
                yield Measurement(
                    Measure(f"missed: {name}, {events:,} events", "", 0.0, Sense.AT_MOST),
                    (missed / repeats,),
                    sizes=f"{missed} of {repeats} data sets",
                )


def split_up(pool: Events, events: int, seed: int) -> Splits:
    """Draws a data set, divided at random."""
    rows = np.random.default_rng([events, seed]).permutation(len(pool.labels))[:events]
    ends = np.cumsum([round(share * events) for share in SHARES.values()])[:-1]
    return {
        split: Events(pool.features[part], pool.labels[part])
        for split, part in zip(SHARES, np.split(rows, ends), strict=True)
    }


def _leak_one(splits: Splits, rng: np.random.Generator) -> Splits:
    """One training event is also in eval, with the other label."""
    evaluation = splits["eval"]
    source = rng.integers(len(splits["train"].labels))
    features, labels = evaluation.features.copy(), evaluation.labels.copy()
    features[0], labels[0] = splits["train"].features[source], 1 - splits["train"].labels[source]
    return splits | {"eval": Events(features, labels)}


def _leak_to_test(splits: Splits, rng: np.random.Generator) -> Splits:
    """One eval event is also in test."""
    test = splits["test"]
    features = test.features.copy()
    features[0] = splits["eval"].features[rng.integers(len(splits["eval"].labels))]
    return splits | {"test": Events(features, test.labels)}


def _repeat_a_shard(splits: Splits, rng: np.random.Generator) -> Splits:
    """One of seven training shards is duplicated: an eighth of the events."""
    train = splits["train"]
    twice = np.append(np.arange(len(train.labels)), rng.permutation(len(train.labels) // 7))
    return splits | {"train": Events(train.features[twice], train.labels[twice])}


def _sort_by_class(splits: Splits, rng: np.random.Generator) -> Splits:
    """A file that is sorted by class was divided in the middle."""
    del rng
    features, labels = (
        np.concatenate([getattr(events, name) for events in splits.values()])
        for name in ("features", "labels")
    )
    order = np.argsort(labels, kind="stable")
    ends = np.cumsum([len(events.labels) for events in splits.values()])[:-1]
    return {
        split: Events(features[rows], labels[rows])
        for split, rows in zip(splits, np.split(order, ends), strict=True)
    }


def _lose_signal(splits: Splits, rng: np.random.Generator) -> Splits:
    """Three in four signal events of eval were lost."""
    evaluation = splits["eval"]
    kept = (evaluation.labels == 0) | (rng.random(len(evaluation.labels)) < 0.25)
    return splits | {"eval": Events(evaluation.features[kept], evaluation.labels[kept])}


def _stop_a_column(splits: Splits, rng: np.random.Generator) -> Splits:
    """A column of train has one value."""
    features = splits["train"].features.copy()
    column = rng.integers(len(FEATURES))
    features[:, column] = features[0, column]
    return splits | {"train": Events(features, splits["train"].labels)}


FAULTS: Mapping[str, Fault] = {
    "one training event in eval": _leak_one,
    "one eval event in test": _leak_to_test,
    "a shard twice": _repeat_a_shard,
    "sorted by class": _sort_by_class,
    "most of eval's signal lost": _lose_signal,
    "constant column": _stop_a_column,
}


class DataGate:
    """DataGate's check on artifacts in a folder."""

    def __init__(self, folder: Path):
        self._artifacts = {}
        split_names = artifact_utils.encode_split_names(list(SHARES))
        for kind in (Examples, ExampleStatistics, ExampleAnomalies, Schema, DataVerdict):
            artifact = kind()
            artifact.uri = str(folder / kind.__name__)
            Path(artifact.uri).mkdir()
            if hasattr(artifact, "split_names"):
                artifact.split_names = split_names
            self._artifacts[kind] = artifact
        self._write(Schema, names.SCHEMA_FILE, str(schema_pb2.Schema()).encode())
        shards = tuple(IngestedShard(path=f"/{split}", sha256="", events={}) for split in SHARES)
        content = IngestionFile(shards=shards).model_dump_json()
        self._write(Examples, ingested_shards.FILE_NAME, content.encode())
        for split in SHARES:
            anomalies = anomalies_pb2.Anomalies().SerializeToString()
            self._write(ExampleAnomalies, f"Split-{split}/{names.ANOMALIES_FILE}", anomalies)
            Path(folder_of(self._artifacts[Examples].uri, split)).mkdir(parents=True)

    def refuses(self, splits: Splits) -> bool:
        """Returns whether the data is refused."""
        examples = self._artifacts[Examples]
        for index, (split, events) in enumerate(splits.items()):
            examples.set_int_custom_property(names.events_property(split), len(events.labels))
            examples.set_string_custom_property(names.invalid_values_property(split), "{}")
            write_run(run_path(examples.uri, split, index, 0), event_hashes(events.features))
            statistics = _statistics(events).SerializeToString()
            self._write(ExampleStatistics, f"Split-{split}/FeatureStats.pb", statistics)
        try:
            check_data(
                examples,
                self._artifacts[ExampleStatistics],
                self._artifacts[Schema],
                self._artifacts[ExampleAnomalies],
                MAX_DUPLICATE_SHARE,
                self._artifacts[DataVerdict],
            )
        except DataRefusedError:
            return True
        return False

    def _write(self, kind: type, name: str, content: bytes) -> None:
        path = Path(self._artifacts[kind].uri, name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


def _statistics(events: Events) -> statistics_pb2.DatasetFeatureStatisticsList:
    """The statistics that DataGate reads: counts, limits and means."""
    count = len(events.labels)
    statistics = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = statistics.datasets.add(num_examples=count)
    for name, values in ((LABEL, events.labels), *zip(FEATURES, events.features.T, strict=True)):
        feature = dataset.features.add()
        feature.path.step.append(name)
        numbers = feature.num_stats
        numbers.common_stats.num_non_missing = count
        numbers.min, numbers.max, numbers.mean = (
            values.min(),
            values.max(),
            values.mean(dtype=float),
        )
    return statistics
