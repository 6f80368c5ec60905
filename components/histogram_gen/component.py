"""HistogramGen, the node: counts every feature by class."""

from collections.abc import Iterator

import apache_beam as beam
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.component.experimental.annotations import (
    BeamComponentParameter,
    InputArtifact,
    OutputArtifact,
)
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples, ExampleStatistics

from components.histogram_gen.class_counts import Binning, Census, choose_binning, count, total
from formats.artifact_types import ClassHistograms
from formats.examples import RowGroup, find_row_groups, read_row_group
from formats.features import FEATURES, LABEL
from formats.histograms import FILE_NAME, to_json

# Beam checks type hints, and takes a dict for no Mapping.
Binnings = dict[str, Binning]


@component(use_beam=True)
def HistogramGen(  # noqa: N802 (a node is named as TFX names nodes)
    examples: InputArtifact[Examples],
    statistics: InputArtifact[ExampleStatistics],
    histograms: OutputArtifact[ClassHistograms],
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
) -> None:
    """Counts each split's events by feature, class and bin, into ``histograms.json``.

    All splits have the same bins, chosen from the statistics of the first one.
    """
    splits = artifact_utils.decode_split_names(examples.split_names)
    folders = {split: artifact_utils.get_split_uri([examples], split) for split in splits}
    first = stats_artifact_utils.load_statistics(statistics, splits[0]).proto().datasets[0]
    binnings = choose_binnings(first)
    with beam_pipeline as pipeline:
        _ = (
            pipeline
            | "Splits" >> beam.Create(folders.items())
            | "RowGroups" >> beam.FlatMapTuple(_row_groups)
            | "Spread" >> beam.Reshuffle()
            | "Count" >> beam.Map(_count, binnings)
            | "Total" >> beam.CombinePerKey(total)
            | "Splits together" >> beam.combiners.ToList()
            | "Text" >> beam.Map(lambda census: to_json(binnings, dict(sorted(census))))
            | "Write"
            >> beam.io.WriteToText(
                f"{histograms.uri}/{FILE_NAME}", num_shards=1, shard_name_template=""
            )
        )


def choose_binnings(statistics: statistics_pb2.DatasetFeatureStatistics) -> Binnings:
    """The bins of every feature, from a split's statistics."""
    numbers = {feature.path.step[0]: feature.num_stats for feature in statistics.features}
    return {name: choose_binning(name, numbers[name]) for name in FEATURES}


def count_row_group(row_group: RowGroup, binnings: Binnings) -> Census:
    """The census of one row group, whose columns hold one value an event."""
    table = read_row_group(row_group)
    columns = {
        name: table.column(name).chunk(0).flatten().to_numpy() for name in (LABEL, *binnings)
    }
    labels = columns.pop(LABEL)
    return count(columns, labels, binnings)


def _row_groups(split: str, folder: str) -> Iterator[tuple[str, RowGroup]]:
    for row_group in find_row_groups(f"{folder}/*.parquet"):
        yield split, row_group


def _count(task: tuple[str, RowGroup], binnings: Binnings) -> tuple[str, Census]:
    split, row_group = task
    return split, count_row_group(row_group, binnings)
