from itertools import combinations

import numpy as np
import pytest
import tensorflow as tf

from formats.features import FEATURES, HIGH_LEVEL
from models.physics.kinematics import (
    LEPTON,
    NEUTRINO,
    PAIRS,
    four_momenta,
    log_masses,
    membership,
    published_masses,
    scale_momenta,
    squared_pair_masses,
    two_solutions,
)
from tests.models.physics.reference import invariant_mass, momenta

GROUPS = [group for size in range(2, 7) for group in combinations(range(6), size)]


@pytest.fixture(scope="module")
def particles(features):
    return two_solutions(tf.constant(features))[0]


def test_particles_are_the_columns_in_natural_units(particles, value):
    np.testing.assert_allclose(particles.pt[:, 1], value("jet_2_pt"), rtol=1e-6)
    np.testing.assert_allclose(particles.eta[:, 3], value("jet_4_eta"), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(particles.phi[:, LEPTON], value("lepton_phi"), atol=1e-6)
    np.testing.assert_allclose(
        particles.pt[:, NEUTRINO], value("missing_energy_magnitude"), rtol=1e-6
    )


def test_tags_are_levels(particles):
    assert set(np.unique(np.asarray(particles.tags).round(5))) == {0.0, 1.0, 2.0}


def test_both_neutrinos_give_the_published_w_mass(features, value):
    expected = value("m_lv")
    for solution in two_solutions(tf.constant(features)):
        mass = invariant_mass(momenta(solution)[:, [LEPTON, NEUTRINO]])
        is_reached = np.abs(mass / expected - 1) < 1e-3
        assert is_reached.mean() > 0.97
        # If the transverse mass is already larger, the neutrino has the eta of the lepton.
        assert (mass[~is_reached] > expected[~is_reached]).all()


def test_the_two_solutions_lie_on_both_sides_of_the_lepton(features):
    plus, minus = two_solutions(tf.constant(features))
    middle = (plus.eta[:, NEUTRINO] + minus.eta[:, NEUTRINO]) / 2
    np.testing.assert_allclose(middle, plus.eta[:, LEPTON], atol=1e-5)


def test_masses_of_all_groups_are_those_of_four_vectors(particles):
    masses = np.exp(log_masses(squared_pair_masses(particles), GROUPS))
    p = momenta(particles)
    for column, group in enumerate(GROUPS):
        expected = np.maximum(invariant_mass(p[:, list(group)]), 1)
        np.testing.assert_allclose(masses[:, column], expected, rtol=2e-4, err_msg=str(group))


def test_four_momenta_are_those_of_numpy(particles):
    np.testing.assert_allclose(four_momenta(particles), momenta(particles), rtol=1e-5, atol=1e-3)


def test_published_masses_are_in_gev(features, value):
    masses = published_masses(tf.constant(features))
    for column, name in enumerate(HIGH_LEVEL):
        np.testing.assert_allclose(masses[:, column], value(name), rtol=1e-6)


def test_membership_counts_the_particles_of_a_pair():
    (counts,) = membership([(0, 1, 5)])
    assert counts[PAIRS.index((0, 1))] == 2
    assert counts[PAIRS.index((1, 4))] == 1
    assert counts[PAIRS.index((2, 4))] == 0


def test_scaled_momenta_give_scaled_masses(particles):
    factor = tf.constant(np.linspace(0.5, 2, len(particles.pt)), tf.float32)
    jets = (1, 3)
    pairs = scale_momenta(squared_pair_masses(particles), membership([jets])[0], factor)
    p = momenta(particles)
    p[:, jets] *= np.asarray(factor, np.float64)[:, None, None]
    for group in ((0, 2), (0, 1), (1, 3), (0, 1, 3, 4), range(6)):
        masses = np.exp(log_masses(pairs, [group])[:, 0])
        np.testing.assert_allclose(masses, invariant_mass(p[:, list(group)]), rtol=2e-4)


def test_empty_columns_give_finite_particles():
    features = np.zeros([3, len(FEATURES)], np.float32)
    for solution in two_solutions(tf.constant(features)):
        assert all(np.isfinite(part).all() for part in solution)
        assert np.isfinite(log_masses(squared_pair_masses(solution), GROUPS)).all()
