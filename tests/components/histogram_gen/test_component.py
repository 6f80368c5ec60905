"""The node's parts on real Parquet; the node itself runs in tests/e2e."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory

from components.histogram_gen.class_counts import total
from components.histogram_gen.component import choose_binnings, count_row_group
from formats.examples import find_row_groups
from formats.features import COLUMNS, FEATURES, LABEL


@pytest.fixture(scope="module")
def columns():
    rng = np.random.default_rng(1)
    values = rng.normal(1.0, 0.3, (len(COLUMNS), 500)).astype(np.float32)
    values[0] = rng.integers(0, 2, 500)
    return dict(zip(COLUMNS, values, strict=True))


@pytest.fixture(scope="module")
def table(columns):
    arrays = [
        pa.array([[value] for value in column], pa.large_list(pa.float32()))
        for column in columns.values()
    ]
    return pa.table(arrays, list(columns))


def test_every_row_group_is_counted_by_class(table, columns, tmp_path):
    pq.write_table(table, tmp_path / "part.parquet", row_group_size=120)
    (batch,) = table.to_batches()
    binnings = choose_binnings(generate_statistics_in_memory(batch).datasets[0])
    assert list(binnings) == list(FEATURES)
    census = total(
        count_row_group(group, binnings) for group in find_row_groups(f"{tmp_path}/*.parquet")
    )
    signal = columns[LABEL] == 1
    binning = binnings["m_bb"]
    edges = np.linspace(binning.low, binning.high, binning.bins + 1)
    for row, kind in enumerate((~signal, signal)):
        expected, _ = np.histogram(columns["m_bb"][kind].astype(np.float64), edges)
        assert np.abs(census.counts["m_bb"][row][1:-1] - expected).sum() <= 2  # on an edge
        assert census.counts["m_bb"][row].sum() == kind.sum()
