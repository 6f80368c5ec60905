from itertools import combinations

import numpy as np
import pytest
import tensorflow as tf

from formats.features import FEATURES, HIGH_LEVEL
from models.physics.kinematics import (
    ALL,
    LEPTON,
    NEUTRINO,
    OTHER_NEUTRINO,
    PAIRS,
    four_momenta,
    log_masses,
    pairs_between,
    pairs_within,
    particle_rows,
    record,
    squared_pair_masses,
    sum_rows,
    to_particles,
)
from tests.models.physics.reference import invariant_mass, momenta

GROUPS = [group for size in range(2, 7) for group in combinations(range(6), size)]


@pytest.fixture(scope="module")
def particles(event):
    return to_particles(particle_rows(event))


def test_particles_are_the_columns_in_natural_units(particles, value):
    np.testing.assert_allclose(particles.pt[1], value("jet_2_pt"), rtol=1e-6)
    np.testing.assert_allclose(particles.eta[3], value("jet_4_eta"), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(particles.phi[LEPTON], value("lepton_phi"), atol=1e-6)
    np.testing.assert_allclose(particles.pt[NEUTRINO], value("missing_energy_magnitude"), rtol=1e-6)


def test_tags_are_levels(particles):
    assert set(np.unique(np.asarray(particles.tags).round(5))) == {0.0, 1.0, 2.0}


def test_both_neutrinos_give_the_published_w_mass(particles, value):
    expected = value("m_lv")
    for other in (False, True):
        mass = invariant_mass(momenta(particles, other=other)[:, [LEPTON, NEUTRINO]])
        is_reached = np.abs(mass / expected - 1) < 1e-3
        assert is_reached.mean() > 0.97
        # If the transverse mass is already larger, the neutrino has the eta of the lepton.
        assert (mass[~is_reached] > expected[~is_reached]).all()


def test_the_two_solutions_lie_on_both_sides_of_the_lepton(particles):
    eta = particles.eta
    middle = (eta[NEUTRINO] + eta[OTHER_NEUTRINO]) / 2
    np.testing.assert_allclose(middle, eta[LEPTON], atol=1e-5)
    assert (eta[NEUTRINO] >= eta[LEPTON]).numpy().all()


def test_masses_of_all_groups_are_those_of_four_vectors(particles):
    masses = np.exp(log_masses(squared_pair_masses(particles), GROUPS))
    p = momenta(particles)
    for row, group in enumerate(GROUPS):
        expected = np.maximum(invariant_mass(p[:, list(group)]), 1)
        np.testing.assert_allclose(masses[row], expected, rtol=2e-4, err_msg=str(group))


def test_four_momenta_are_those_of_numpy(particles):
    computed = np.asarray(four_momenta(particles))[:, list(ALL)].T
    np.testing.assert_allclose(computed, momenta(particles), rtol=1e-5, atol=1e-3)


def test_published_masses_are_in_gev(event, value):
    for row, name in enumerate(HIGH_LEVEL):
        np.testing.assert_allclose(event.masses[row], value(name), rtol=1e-6)


def test_pairs_of_groups_are_found_in_any_order():
    assert [PAIRS[row] for row in pairs_within((5, 0, 1))] == [(0, 1), (0, 5), (1, 5)]
    assert [PAIRS[row] for row in pairs_between((3, 1), (4, 2))] == [(3, 4), (2, 3), (1, 4), (1, 2)]


def test_rows_are_summed_by_group():
    rows = np.random.default_rng(1).normal(size=[6, 2, 5]).astype(np.float32)
    groups = [(0, 1, 2), (5,), range(6), (4, 3), (1,)]
    sums = sum_rows(tf.constant(rows), groups)
    expected = [rows[[*group]].sum(axis=0) for group in groups]
    np.testing.assert_allclose(sums, expected, atol=1e-6)


@pytest.mark.parametrize("fill", [0.0, np.inf, -np.inf])
def test_every_number_gives_finite_particles(fill):
    particles = to_particles(particle_rows(record(tf.fill([len(FEATURES), 3], fill))))
    assert all(np.isfinite(part).all() for part in particles)
    assert np.isfinite(log_masses(squared_pair_masses(particles), GROUPS)).all()


def test_nan_stays_nan():
    features = tf.fill([len(FEATURES), 2], np.nan)
    assert all(np.isnan(part).all() for part in record(features))
