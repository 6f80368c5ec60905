"""Executor of HistogramGen: counts the files on Beam's workers and writes the sums."""

from functools import partial

import apache_beam as beam
import numpy as np
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.io import fileio
from tfx.types import Artifact, artifact_utils

from components.histogram_gen.bin_choice import choose_binnings
from components.histogram_gen.class_counts import (
    Columns,
    add,
    count_file,
    read_columns,
    read_counts,
)
from formats import examples as parquet_examples
from formats import histograms as histograms_file
from formats.features import FEATURES
from formats.task_results import run_tasks

SAMPLED_ROW_GROUPS = 8
"""Row groups whose values determine the bins: half a million events, 60 MB."""


def write_histograms(
    examples: Artifact, statistics: Artifact, histograms: Artifact, beam_pipeline: beam.Pipeline
) -> None:
    """Counts every split of the Examples and writes ``histograms.json``.

    Raises:
        EventCountError: a split has more or fewer events than were ingested.
        LostTaskError: the Beam runner lost a file.
    """
    splits = artifact_utils.decode_split_names(examples.split_names)
    for split in splits:
        parquet_examples.check_split(examples, split)
    first = stats_artifact_utils.load_statistics(statistics, splits[0]).proto().datasets[0]
    folders = {split: parquet_examples.split_folder(examples.uri, split) for split in splits}
    binnings = choose_binnings(first, read_sample(folders[splits[0]]))
    files = {
        split: parquet_examples.list_files(f"{folder}/{parquet_examples.FILES}")
        for split, folder in sorted(folders.items())
    }
    count, staging = partial(count_file, binnings=binnings), f"{histograms.uri}/.staging"
    paths = [path for of_split in files.values() for path in of_split]
    results = dict(
        zip(paths, run_tasks(beam_pipeline, paths, count, staging, "files"), strict=True)
    )
    fileio.rmtree(staging)
    counts = {
        split: add(read_counts(results[path]) for path in of_split)
        for split, of_split in files.items()
    }
    with fileio.open(f"{histograms.uri}/{histograms_file.FILE_NAME}", "w") as file:
        file.write(histograms_file.to_json(binnings, counts))


def read_sample(folder: str) -> Columns:
    """Reads the values of row groups that are spread evenly over the files of a split."""
    groups = parquet_examples.sample_row_groups(
        f"{folder}/{parquet_examples.FILES}", SAMPLED_ROW_GROUPS
    )
    parts = [read_columns(group, FEATURES) for group in groups]
    return {name: np.concatenate([part[name] for part in parts]) for name in FEATURES}
