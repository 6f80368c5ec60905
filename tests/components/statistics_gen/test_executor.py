"""The count before the statistics; the statistics themselves are tested end to end."""

import pyarrow.parquet as pq
import pytest
from event_makers import make_events
from tfx.types.standard_artifacts import Examples, ExampleStatistics

from components.statistics_gen.executor import Executor
from formats.event_counts import EventCountError
from formats.examples import to_table


def test_missing_files_are_named_before_any_statistics(tmp_path):
    examples, statistics = Examples(), ExampleStatistics()
    examples.uri, statistics.uri = str(tmp_path / "examples"), str(tmp_path / "statistics")
    examples.split_names = '["eval"]'
    examples.set_int_custom_property("events_eval", 4800)
    folder = tmp_path / "examples" / "Split-eval"
    folder.mkdir(parents=True)
    pq.write_table(to_table(make_events(1000)), folder / "a.parquet")
    with pytest.raises(EventCountError) as error:
        Executor().Do({"examples": [examples]}, {"statistics": [statistics]}, {})
    assert f"split eval: found 1,000 events in {folder}, but ingestion wrote 4,800" in str(
        error.value
    )
    assert not (tmp_path / "statistics").exists()
