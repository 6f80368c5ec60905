"""The reader; that the statistics are the stock ones is tested end to end."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.statistics_gen.executor import _read, _row_groups


def write(path, values, group):
    column = pa.array([[value] for value in values], pa.large_list(pa.float32()))
    pq.write_table(pa.table({"m_bb": column}), path, row_group_size=group)


def test_every_row_is_read_once_whatever_the_row_groups(tmp_path):
    write(tmp_path / "b.parquet", range(10, 17), 3)
    write(tmp_path / "a.parquet", range(10), 4)
    (tmp_path / "other.txt").write_text("no Examples")
    groups = list(_row_groups(f"{tmp_path}/*.parquet"))
    assert [(path.rsplit("/", 1)[1], group) for path, group in groups] == [
        *(("a.parquet", group) for group in range(3)),
        *(("b.parquet", group) for group in range(3)),
    ]
    batches = [batch for group in groups for batch in _read(group)]
    assert [batch.num_rows for batch in batches] == [4, 4, 2, 3, 3, 1]
    values = np.concatenate([batch.column(0).flatten() for batch in batches])
    assert values.tolist() == list(range(17))
