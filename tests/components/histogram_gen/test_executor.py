"""The executor's parts on real Parquet; the node itself runs in tests/e2e."""

import numpy as np
import pyarrow.parquet as pq
from event_makers import make_events
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory

from components.histogram_gen.bin_choice import choose_binnings
from components.histogram_gen.class_counts import add
from components.histogram_gen.executor import count_row_group
from formats.examples import find_row_groups, to_table
from formats.features import FEATURES, HIGH_LEVEL


def test_every_row_group_is_counted_by_class(tmp_path):
    events = make_events(500)
    table = to_table(events)
    pq.write_table(table, tmp_path / "part.parquet", row_group_size=120)
    (batch,) = table.to_batches()

    binnings = choose_binnings(generate_statistics_in_memory(batch).datasets[0])
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
