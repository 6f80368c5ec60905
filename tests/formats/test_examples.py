"""The reader that StatisticsGen and HistogramGen share."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from formats.examples import find_row_groups, read_row_group


def write(path, values, group):
    column = pa.array([[value] for value in values], pa.large_list(pa.float32()))
    pq.write_table(pa.table({"m_bb": column}), path, row_group_size=group)


def test_every_row_is_read_once_whatever_the_row_groups(tmp_path):
    write(tmp_path / "b.parquet", range(10, 17), 3)
    write(tmp_path / "a.parquet", range(10), 4)
    (tmp_path / "other.txt").write_text("no Examples")
    groups = list(find_row_groups(f"{tmp_path}/*.parquet"))
    assert [(path.rsplit("/", 1)[1], group) for path, group in groups] == [
        *(("a.parquet", group) for group in range(3)),
        *(("b.parquet", group) for group in range(3)),
    ]
    tables = [read_row_group(group) for group in groups]
    assert [table.num_rows for table in tables] == [4, 4, 2, 3, 3, 1]
    assert all(table.column("m_bb").num_chunks == 1 for table in tables)
    values = np.concatenate([table.column("m_bb").chunk(0).flatten() for table in tables])
    assert values.tolist() == list(range(17))
