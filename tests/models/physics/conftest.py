import numpy as np
import pytest
import tensorflow as tf

from formats.features import FEATURES, UNITS
from models.physics.kinematics import record
from pipeline.sample_data import monte_carlo


@pytest.fixture(scope="session")
def toy():
    return next(monte_carlo.generate(2000, 11))


@pytest.fixture(scope="session")
def features(toy):
    """Toy events in published units, float32 [2000, 28]."""
    return toy.features


@pytest.fixture(scope="session")
def rows(features):
    """The same with the events as last dimension, float32 [28, 2000]."""
    return tf.constant(features.T)


@pytest.fixture(scope="session")
def event(rows):
    """The same as a record in natural units."""
    return record(rows)


@pytest.fixture(scope="session")
def labels(toy):
    """1 signal, 0 background, [2000]."""
    return toy.labels


@pytest.fixture(scope="session")
def value(features):
    """A column in GeV, radians or pseudorapidity, float64 [2000]."""
    return lambda name: features[:, FEATURES.index(name)].astype(np.float64) * UNITS[name]
