"""The counts before and after the statistics, which are themselves tested end to end."""

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from event_makers import make_events
from tfx.types.standard_artifacts import Examples, ExampleStatistics

from components.statistics_gen import executor
from components.statistics_gen.executor import Executor
from formats.event_counts import EventCountError
from formats.examples import ReadExamples, to_table


@pytest.fixture
def examples(tmp_path):
    """A split of 1,000 events."""
    examples = Examples()
    examples.uri, examples.split_names = str(tmp_path / "examples"), '["eval"]'
    examples.set_int_custom_property("events_eval", 1000)
    folder = tmp_path / "examples" / "Split-eval"
    folder.mkdir(parents=True)
    pq.write_table(to_table(make_events(1000)), folder / "a.parquet", row_group_size=600)
    return examples


@pytest.fixture
def statistics(tmp_path):
    statistics = ExampleStatistics()
    statistics.uri = str(tmp_path / "statistics")
    return statistics


def test_missing_files_are_named_before_any_statistics(tmp_path, examples, statistics):
    examples.set_int_custom_property("events_eval", 4800)
    with pytest.raises(EventCountError) as error:
        Executor().Do({"examples": [examples]}, {"statistics": [statistics]}, {})
    folder = tmp_path / "examples" / "Split-eval"
    assert f"split eval: found 1,000 events in {folder}, but ingestion wrote 4,800" in str(
        error.value
    )
    assert not (tmp_path / "statistics").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("times", "counted"), [(0, 600), (2, 1400)])
def test_row_groups_that_a_runner_lost_or_read_twice_fail_the_node(
    monkeypatch, examples, statistics, times, counted
):
    def repeat(batch):
        return [batch] * (times if batch.num_rows == 400 else 1)

    class Repeating(ReadExamples):
        def expand(self, pipeline):
            batches = super().expand(pipeline)
            return batches | beam.FlatMap(repeat).with_output_types(pa.RecordBatch)

    monkeypatch.setattr(executor, "ReadExamples", Repeating)
    with pytest.raises(EventCountError, match=f"StatisticsGen counted {counted} of 1000 events"):
        Executor().Do({"examples": [examples]}, {"statistics": [statistics]}, {})


@pytest.mark.slow
def test_files_that_disappear_meanwhile_are_not_blamed_on_beam(
    monkeypatch, tmp_path, examples, statistics
):
    file = tmp_path / "examples" / "Split-eval" / "a.parquet"
    pq.write_table(to_table(make_events(1000)), file)

    def lose_half(batch):
        file.unlink()
        return [batch.slice(0, 500)]

    class Losing(ReadExamples):
        def expand(self, pipeline):
            return super().expand(pipeline) | beam.FlatMap(lose_half).with_output_types(
                pa.RecordBatch
            )

    monkeypatch.setattr(executor, "ReadExamples", Losing)
    with pytest.raises(EventCountError, match=r"split eval: found 0 events in .*were deleted"):
        Executor().Do({"examples": [examples]}, {"statistics": [statistics]}, {})
