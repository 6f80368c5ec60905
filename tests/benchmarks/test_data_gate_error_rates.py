import numpy as np
import pytest

from benchmarks.data_gate_error_rates import FAULTS, SHARES, DataGate, split_up
from benchmarks.generated_events import training_events


@pytest.fixture(scope="module")
def pool():
    return training_events(2000)


def test_data_set_is_divided_without_repetitions(pool):
    splits = split_up(pool, 1000, 1)
    assert {name: len(events.labels) for name, events in splits.items()} == {
        name: round(1000 * share) for name, share in SHARES.items()
    }
    assert len({row.tobytes() for events in splits.values() for row in events.features}) == 1000


@pytest.mark.parametrize("fault", FAULTS)
def test_clean_data_passes_and_the_fault_is_refused(pool, fault, tmp_path):
    gate = DataGate(tmp_path)
    assert not gate.refuses(split_up(pool, 1000, 2))
    faulty = FAULTS[fault](split_up(pool, 1000, 3), np.random.default_rng(0))
    assert gate.refuses(faulty)
