import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.histogram_gen.class_counts import add, count_events, fingerprint, read_counts
from formats.histograms import Binning

BINNING = Binning(0.0, 1.0, 4)


def float32(*values):
    return np.array(values, np.float32)


def count(values, labels):
    return count_events({"x": values}, labels, {"x": BINNING})


def test_events_are_counted_by_class_and_bin_with_outliers_at_either_end():
    values = float32(-1, 0, 0.3, 0.6, 0.99, 1, 7)
    counted = count(values, float32(0, 0, 0, 1, 1, 1, 1))
    assert counted.counts["x"].tolist() == [[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 2]]


def test_infinities_are_outside_and_nan_is_not_counted():
    counted = count(float32(-np.inf, np.inf, np.nan, 0.5), float32(1, 1, 1, 1))
    assert counted.counts["x"].tolist() == [[0] * 6, [1, 0, 0, 1, 0, 1]]


@pytest.mark.slow
@given(st.lists(st.tuples(st.floats(width=32), st.booleans()), min_size=1))
def test_counts_are_those_of_one_event_at_a_time(events):
    expected = np.zeros((2, 6), int)
    for value, is_signal in events:
        if not np.isnan(value):
            with np.errstate(over="ignore"):
                position = np.float32(value) * np.float32(4)
            expected[int(is_signal), int(np.clip(np.floor(position) + 1, 0, 5))] += 1

    with np.errstate(over="ignore"):
        values, labels = (float32(*column) for column in zip(*events, strict=True))
        counted = count(values, labels)

    assert counted.counts["x"].tolist() == expected.tolist()


def test_parts_add_up_to_the_whole():
    rng = np.random.default_rng(1)
    values, labels = float32(*rng.normal(size=1000)), float32(*rng.integers(0, 2, 1000))
    whole = count(values, labels)
    parts = [
        count(values[part], labels[part])
        for part in (slice(0, 10), slice(10, 600), slice(600, None))
    ]
    total = add(parts)
    assert total.counts["x"].tolist() == whole.counts["x"].tolist()
    assert total.fingerprint == whole.fingerprint
    assert whole.counts["x"].sum() == 1000


def test_counts_of_files_exceed_32_bits():
    content = {"counts": {"x": [[2**31, 1], [2, 3]]}, "fingerprint": 2**64 - 1}
    total = add([read_counts(content)] * 2)
    assert total.counts["x"].tolist() == [[2**32, 2], [4, 6]]
    assert total.fingerprint == 2**64 - 2


def hashed(*columns):
    return fingerprint([float32(*column) for column in columns])


def test_the_order_of_events_does_not_change_a_fingerprint():
    assert hashed((1, 0, 1), (5, 6, 7)) == hashed((1, 1, 0), (7, 5, 6))


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param(((1, 0), (6, 5)), id="values exchanged between events"),
        pytest.param(((5, 6), (1, 0)), id="columns exchanged"),
        pytest.param(((1, 0), (5, np.nextafter(np.float32(6), np.float32(7)))), id="one bit"),
        pytest.param(((1, 0, 1, 0), (5, 6, 5, 6)), id="every event twice"),
    ],
)
def test_other_events_have_another_fingerprint(columns):
    assert hashed((1, 0), (5, 6)) != hashed(*columns)


def test_fingerprints_never_change():
    """Fingerprints are compared between releases."""
    assert f"{hashed((1, 0), (0.5, -2)):016x}" == "06a23fc7d3ef49d2"
