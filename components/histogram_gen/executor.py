"""Executor of HistogramGen: counts the row groups on Beam's workers and writes the sums."""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import numpy.typing as npt
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.types import Artifact, artifact_utils

from components.histogram_gen.bin_choice import Binnings, choose_binnings
from components.histogram_gen.class_counts import add, count_events
from formats import examples as parquet_examples
from formats import histograms as histograms_file
from formats.examples import RowGroup
from formats.features import FEATURES, LABEL
from formats.histograms import ClassCounts

SAMPLED_ROW_GROUPS = 8
"""Row groups whose values determine the bins: half a million events, 60 MB."""

Columns = dict[str, npt.NDArray[np.float32]]


def write_histograms(
    examples: Artifact, statistics: Artifact, histograms: Artifact, beam_pipeline: beam.Pipeline
) -> None:
    """Counts every split of the Examples and writes ``histograms.json``.

    Raises:
        EventCountError: a split has more or fewer events than were ingested.
    """
    splits = artifact_utils.decode_split_names(examples.split_names)
    folders = {split: artifact_utils.get_split_uri([examples], split) for split in splits}
    for split in splits:
        parquet_examples.check_split(examples, split)
    first = stats_artifact_utils.load_statistics(statistics, splits[0]).proto().datasets[0]
    binnings = choose_binnings(first, read_sample(folders[splits[0]]))
    with beam_pipeline as pipeline:
        _ = (
            pipeline
            | "Splits" >> beam.Create(folders.items())
            | "RowGroups" >> beam.FlatMapTuple(_row_groups)
            | "Spread" >> beam.Reshuffle()
            | "Count" >> beam.Map(_count, binnings)
            | "Add" >> beam.CombinePerKey(add)
            | "Collect" >> beam.combiners.ToList()
            | "Text" >> beam.Map(_to_json, binnings)
            | "Write"
            >> beam.io.WriteToText(
                f"{histograms.uri}/{histograms_file.FILE_NAME}",
                num_shards=1,
                shard_name_template="",
            )
        )


def read_sample(folder: str) -> Columns:
    """Reads the values of row groups that are spread evenly over the files of a split."""
    groups = parquet_examples.sample_row_groups(
        f"{folder}/{parquet_examples.FILES}", SAMPLED_ROW_GROUPS
    )
    parts = [_columns(group, FEATURES) for group in groups]
    return {name: np.concatenate([part[name] for part in parts]) for name in FEATURES}


def count_row_group(row_group: RowGroup, binnings: Binnings) -> ClassCounts:
    """Counts the events of one row group."""
    columns = _columns(row_group, (LABEL, *binnings))
    labels = columns.pop(LABEL)
    return count_events(columns, labels, binnings)


def _columns(row_group: RowGroup, columns: Iterable[str]) -> Columns:
    table = parquet_examples.read_row_group(row_group)
    return {name: table.column(name).chunk(0).flatten().to_numpy() for name in columns}


def _row_groups(split: str, folder: str) -> Iterator[tuple[str, RowGroup]]:
    for row_group in parquet_examples.find_row_groups(f"{folder}/{parquet_examples.FILES}"):
        yield split, row_group


def _count(task: tuple[str, RowGroup], binnings: Binnings) -> tuple[str, ClassCounts]:
    split, row_group = task
    return split, count_row_group(row_group, binnings)


def _to_json(splits: Iterable[tuple[str, ClassCounts]], binnings: Binnings) -> str:
    return histograms_file.to_json(binnings, dict(sorted(splits)))
