import numpy as np
import pytest

from formats.hyperparameters import resolve
from models.network import ColumnStatistics, build_network, describe_layers
from models.training.model_fit import WINDOW_EVENTS, choose_window, count_parameters
from models.training.training_plan import size_hyperparameters


def test_the_kaggle_preset_has_the_parameters_of_the_notebook():
    unit = ColumnStatistics(np.zeros(28, np.float32), np.ones(28, np.float32), None)
    network = build_network(size_hyperparameters(resolve("kaggle"), 1000), unit)
    blocks = (28 + 1) * 2048 + 4 * (2048 + 1) * 2048 + 5 * 4 * 2048
    expected = {"wide": 29, "deep": blocks + 2049, "total": blocks + 2049 + 29}
    assert count_parameters(describe_layers(network)).model_dump() == expected


@pytest.mark.parametrize(
    ("by_host", "memory", "window"),
    [
        # 28 columns, a label and an index of 4 bytes each: 120 bytes per event.
        ([1000], 120_000, None),
        ([1001], 120_000, 1000),
        ([10**8], 10**9, WINDOW_EVENTS),
        # The host with the most events decides, and each one has a window.
        ([1000, 999], 120_000, None),
        ([1001, 1000], 120_000, 2000),
    ],
)
def test_the_window_is_all_events_if_they_fit(by_host, memory, window):
    assert choose_window(by_host, memory, resolve("kaggle")) == window


def test_derived_columns_need_more_memory():
    hyperparameters = resolve("default")
    assert choose_window([1000], 468_000, hyperparameters) is None
    assert choose_window([1000], 467_000, hyperparameters) == 997
