import dataclasses

import numpy as np
import pytest

from benchmarks.quality_samples import TEST_ROWS, real_sample
from formats.features import COLUMNS
from formats.published.scale import SCALED


def write_rows(path, count):
    rows = np.zeros([count, 29])
    rows[:, [COLUMNS.index(name) for name in SCALED]] = 1  # None of them may be 0.
    rows[:, 1] = (1 + np.arange(count)) / 1000
    np.savetxt(path, rows, delimiter=",", fmt="%g")
    return path


@pytest.mark.slow
def test_the_last_rows_are_the_test_and_validation_precedes_them(tmp_path):
    sample = real_sample(write_rows(tmp_path / "rows.csv", TEST_ROWS + 100))
    tables = (sample.train, sample.validation, sample.test)
    row_numbers = [table.features[:, 0] for table in tables]
    assert [len(numbers) for numbers in row_numbers] == [92, 8, TEST_ROWS]
    expected = (1 + np.arange(TEST_ROWS + 100)) / 1000
    np.testing.assert_array_equal(np.concatenate(row_numbers), expected.astype(np.float32))


@pytest.mark.slow
def test_too_few_rows_are_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"rows\.csv: 6,233 rows, but the last 6,233"):
        real_sample(write_rows(tmp_path / "rows.csv", TEST_ROWS))


@pytest.mark.slow
def test_the_digest_depends_on_name_and_events(tmp_path):
    sample = real_sample(write_rows(tmp_path / "rows.csv", TEST_ROWS + 100))
    renamed = dataclasses.replace(sample, name="other")
    shortened = dataclasses.replace(sample, test=sample.validation)
    assert len({sample.digest(), renamed.digest(), shortened.digest()}) == 3
