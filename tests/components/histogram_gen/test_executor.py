import apache_beam as beam
import numpy as np
import pyarrow.parquet as pq
import pytest
from event_makers import make_events
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tfx.types import standard_artifacts

from components.histogram_gen.bin_choice import choose_binnings
from components.histogram_gen.class_counts import add, count_row_group, fingerprint
from components.histogram_gen.executor import read_sample, write_histograms
from formats import histograms
from formats.artifact_types import ClassHistograms
from formats.event_counts import EventCountError
from formats.examples import find_row_groups, to_table
from formats.features import FEATURES, HIGH_LEVEL
from formats.task_results import LostTaskError

SPLITS = {"train": make_events(300), "eval": make_events(100, seed=1)}
SPLITS["eval"].features[:] /= 10  # Their own bins would be narrower.


class LoseSome(beam.PTransform):
    """Beam's Reshuffle in a runner that loses an element."""

    def expand(self, elements):
        return elements | beam.Filter(lambda task: task[0] != 1)


@pytest.mark.slow
def test_every_row_group_is_counted_by_class(tmp_path):
    events = make_events(500)
    table = to_table(events)
    pq.write_table(table, tmp_path / "part.parquet", row_group_size=120)
    (batch,) = table.to_batches()

    statistics = generate_statistics_in_memory(batch).datasets[0]
    binnings = choose_binnings(statistics, read_sample(str(tmp_path)))
    total = add(
        count_row_group(group, binnings) for group in find_row_groups(f"{tmp_path}/*.parquet")
    )

    assert list(binnings) == list(FEATURES)
    is_signal = events.labels == 1
    for name in HIGH_LEVEL:
        values = events.features[:, FEATURES.index(name)].astype(np.float64)
        for row, in_class in enumerate((~is_signal, is_signal)):
            expected, _ = np.histogram(values[in_class], binnings[name].edges)
            assert np.abs(total.counts[name][row][1:-1] - expected).sum() <= 2  # on an edge
            assert total.counts[name][row].sum() == in_class.sum()


def test_missing_files_are_not_counted_as_if_they_were_all(tmp_path):
    examples = standard_artifacts.Examples()
    examples.uri, examples.split_names = str(tmp_path), '["train"]'
    examples.set_int_custom_property("events_train", 300)
    (tmp_path / "Split-train").mkdir()
    pq.write_table(to_table(make_events(100)), tmp_path / "Split-train" / "a.parquet")
    with pytest.raises(EventCountError, match=r"split train: found 100 events in .*wrote 300"):
        write_histograms(examples, None, None, None)


@pytest.fixture
def node(tmp_path):
    """Examples in two files per split, their statistics, and the output."""
    examples, statistics = standard_artifacts.Examples(), standard_artifacts.ExampleStatistics()
    output = ClassHistograms()
    for artifact, name in ((examples, "examples"), (statistics, "statistics"), (output, "output")):
        artifact.uri = str(tmp_path / name)
    examples.split_names = statistics.split_names = '["train", "eval"]'
    for split, events in SPLITS.items():
        examples.set_int_custom_property(f"events_{split}", len(events.labels))
        table = to_table(events)
        for artifact in (examples, statistics):
            (tmp_path / artifact.uri / f"Split-{split}").mkdir(parents=True)
        pq.write_table(table[:80], f"{examples.uri}/Split-{split}/a.parquet")
        pq.write_table(table[80:], f"{examples.uri}/Split-{split}/b.parquet", row_group_size=70)
        content = generate_statistics_in_memory(table.to_batches()[0]).SerializeToString()
        (tmp_path / statistics.uri / f"Split-{split}" / "FeatureStats.pb").write_bytes(content)
    return examples, statistics, output


@pytest.mark.slow
def test_every_split_is_counted_on_beam(node, tmp_path):
    write_histograms(*node, beam.Pipeline())

    assert [path.name for path in (tmp_path / "output").iterdir()] == [histograms.FILE_NAME]
    read = histograms.from_json((tmp_path / "output" / histograms.FILE_NAME).read_text())
    assert list(read) == ["eval", "train"]
    # The bins of all splits are those of the first one.
    [statistics] = generate_statistics_in_memory(to_table(SPLITS["train"]).to_batches()[0]).datasets
    binnings = choose_binnings(statistics, read_sample(f"{tmp_path}/examples/Split-train"))
    for split, events in SPLITS.items():
        columns = [events.labels, *events.features.T]
        assert read[split].fingerprint == f"{fingerprint(columns):016x}"
        for name, histogram in read[split].features.items():
            assert histogram.binning == binnings[name]
            assert histogram.counts.sum() == len(events.labels)


@pytest.mark.slow
def test_a_file_that_the_runner_loses_is_noticed(node, monkeypatch):
    monkeypatch.setattr(beam, "Reshuffle", LoseSome)
    with pytest.raises(LostTaskError, match="lost 1 of 4 files"):
        write_histograms(*node, beam.Pipeline())
