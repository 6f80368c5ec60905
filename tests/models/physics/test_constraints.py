import numpy as np
import pytest
import tensorflow as tf

from models.physics.constraints import (
    LARGEST_FACTOR,
    NAMES,
    constrained_masses,
    corrected_masses,
    correction,
)
from models.physics.jet_roles import B1, B2, J1, J2, assign_roles
from models.physics.kinematics import LEPTON, NEUTRINO
from models.physics.resonances import HIGGS, W
from tests.models.physics.reference import invariant_mass, momenta


@pytest.fixture(scope="module")
def roles(event):
    return assign_roles(event)


@pytest.fixture(scope="module")
def columns(roles):
    masses = constrained_masses(corrected_masses(roles.pairs))
    return dict(zip(NAMES, np.asarray(masses), strict=True))


def corrected(particles, *, light, bottom, other=False):
    """Four-vectors whose light jets have the mass of a W, whose b jets that of a Higgs, or both."""
    p = momenta(particles, other=other)
    for is_corrected, jets, mass in ((light, [J1, J2], 80.4), (bottom, [B1, B2], 125.0)):
        if is_corrected:
            factor = mass / np.maximum(invariant_mass(p[:, jets]), 1)
            p[:, jets] *= np.clip(factor, 0.5, 2)[:, None, None]
    return p


@pytest.mark.parametrize(
    ("name", "light", "bottom", "group", "other"),
    [
        ("m_b1jj_at_W", True, False, (B1, J1, J2), False),
        ("m_b2jj_at_W", True, False, (B2, J1, J2), False),
        ("m_all_at_W'", True, False, range(6), True),
        ("m_jjbb_at_h", False, True, (B1, B2, J1, J2), False),
        ("m_lvbb_at_h", False, True, (B1, B2, LEPTON, NEUTRINO), False),
        ("m_lvbb_at_h'", False, True, (B1, B2, LEPTON, NEUTRINO), True),
        ("m_jjbb_at_Wh", True, True, (B1, B2, J1, J2), False),
        ("m_all_at_Wh", True, True, range(6), False),
    ],
)
def test_masses_are_those_of_corrected_four_vectors(
    columns, roles, name, light, bottom, group, other
):
    p = corrected(roles.particles, light=light, bottom=bottom, other=other)
    expected = invariant_mass(p[:, list(group)])
    np.testing.assert_allclose(np.exp(columns[name]), expected, rtol=3e-4)


def test_only_masses_with_a_neutrino_exist_for_both(columns):
    primed = {name for name in columns if name.endswith("'")}
    assert primed == {"m_all_at_W'", "m_lvbb_at_h'", "m_all_at_h'", "m_all_at_Wh'"}
    assert len(columns) == 13


def test_the_correction_of_a_mass_is_limited():
    masses = tf.math.log([80.4, 60.0, 1.0, 1000.0])
    np.testing.assert_allclose(
        correction(masses, W), [1, 80.4 / 60, LARGEST_FACTOR, 1 / LARGEST_FACTOR], rtol=1e-5
    )


def test_the_peaks_of_signal_are_narrower_after_the_correction(roles, labels):
    signal = labels == 1
    before = invariant_mass(momenta(roles.particles))[signal]
    after = invariant_mass(corrected(roles.particles, light=True, bottom=True))[signal]

    def width(values):
        low, middle, high = np.quantile(values, [0.16, 0.5, 0.84])
        return (high - low) / middle

    assert width(after) < 0.8 * width(before)
    assert np.exp(HIGGS) == pytest.approx(125)
