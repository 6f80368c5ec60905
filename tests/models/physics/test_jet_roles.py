import numpy as np
import pytest
import tensorflow as tf

from formats.features import DISCRETE_VALUES, FEATURES, JETS, UNITS
from models.physics.jet_roles import B1, B2, J1, J2, assign_roles
from models.physics.kinematics import (
    LEPTON,
    NEUTRINO,
    OTHER_NEUTRINO,
    record,
    squared_pair_masses,
)
from tests.models.physics.reference import invariant_mass, momenta


@pytest.fixture(scope="module")
def roles(event):
    return assign_roles(event)


def test_the_jets_with_the_highest_b_tags_are_the_b_jets(roles):
    tags = np.asarray(roles.particles.tags).T
    assert (tags[:, [B1, B2]].min(axis=1) >= tags[:, [J1, J2]].max(axis=1)).all()


def test_every_jet_has_one_role(roles, value):
    pt = np.sort(np.asarray(roles.particles.pt).T[:, :4], axis=1)
    expected = np.sort(np.stack([value(f"jet_{jet}_pt") for jet in JETS], axis=1), axis=1)
    np.testing.assert_allclose(pt, expected, rtol=1e-6)


def test_light_jets_are_ordered_by_momentum(roles):
    pt = np.asarray(roles.particles.pt)
    assert (pt[J1] >= pt[J2]).all()


def is_near(values, expected):
    return np.abs(values / expected - 1) < 0.01


def test_the_b_jets_have_the_published_mass(roles, value):
    assert (
        is_near(invariant_mass(momenta(roles.particles)[:, [B1, B2]]), value("m_bb")).mean() > 0.99
    )


def test_roles_reproduce_the_published_top_masses(roles, value):
    """Only for events whose hadronic W is the two light jets, which are most."""
    p = momenta(roles.particles)
    is_recorded = is_near(invariant_mass(p[:, [J1, J2]]), value("m_jj"))
    assert is_recorded.mean() > 0.5
    assert is_near(invariant_mass(p[:, [B1, J1, J2]]), value("m_jjj"))[is_recorded].mean() > 0.95
    leptonic_top = invariant_mass(p[:, [B2, LEPTON, NEUTRINO]])
    assert is_near(leptonic_top, value("m_jlv"))[is_recorded].mean() > 0.95
    assert is_near(invariant_mass(p), value("m_wwbb"))[is_recorded].mean() > 0.95


def test_the_two_solutions_differ_only_in_the_neutrino(roles):
    pt, eta, phi, _ = map(np.asarray, roles.particles)
    for part in (pt, phi):
        np.testing.assert_array_equal(part[NEUTRINO], part[OTHER_NEUTRINO])
    assert (eta[NEUTRINO] != eta[OTHER_NEUTRINO]).mean() > 0.7


def test_the_pair_masses_are_those_of_both_solutions(roles):
    np.testing.assert_array_equal(roles.pairs, squared_pair_masses(roles.particles))


def test_order_of_equal_jets_does_not_matter(features):
    """The roles follow from tags, momenta and masses, not from the order of the jets."""
    swapped = features.copy()
    first, second = (
        [FEATURES.index(f"jet_{jet}_{part}") for part in ("pt", "eta", "phi", "b_tag")]
        for jet in (1, 2)
    )
    # Converts to the units and discrete values of the other jet.
    ratio = np.array(
        [
            *(UNITS[f"jet_1_{part}"] / UNITS[f"jet_2_{part}"] for part in ("pt", "eta", "phi")),
            DISCRETE_VALUES["jet_2_b_tag"][1] / DISCRETE_VALUES["jet_1_b_tag"][1],
        ]
    )
    swapped[:, second] = features[:, first] * ratio
    swapped[:, first] = features[:, second] / ratio
    tagged = (features[:, [first[3], second[3]]] > 0).sum(axis=1) == 1
    both = (assign_roles(record(tf.constant(each.T))).particles for each in (features, swapped))
    for one, other in zip(*(map(np.asarray, particles) for particles in both), strict=True):
        np.testing.assert_allclose(one[:, tagged], other[:, tagged], rtol=1e-4, atol=1e-4)
