import numpy as np

from formats.hyperparameters import resolve
from models.network import ColumnStatistics, build_network, describe_layers
from models.training.model_fit import count_parameters
from models.training.training_plan import size_hyperparameters


def test_the_kaggle_preset_has_the_parameters_of_the_notebook():
    unit = ColumnStatistics(np.zeros(28, np.float32), np.ones(28, np.float32), None)
    network = build_network(size_hyperparameters(resolve("kaggle"), 1000), unit)
    blocks = (28 + 1) * 2048 + 4 * (2048 + 1) * 2048 + 5 * 4 * 2048
    expected = {"wide": 29, "deep": blocks + 2049, "total": blocks + 2049 + 29}
    assert count_parameters(describe_layers(network)).model_dump() == expected
