"""Derived columns: quantities that a physicist would compute to classify a collision.

They are invariant under the symmetries of proton collisions: the rotation about the beam and the
reflections in phi and in eta. All shapes are static, and XLA can compile every operation.
"""

from collections.abc import Sequence
from itertools import chain, combinations

import numpy as np
import tensorflow as tf
import tf_keras

from formats.features import FEATURES, HIGH_LEVEL, JETS, UNITS
from models.physics import constraints, hypotheses
from models.physics.jet_roles import assign_roles
from models.physics.kinematics import (
    ALL,
    LEPTON,
    NEUTRINO,
    NUM_PARTICLES,
    Particles,
    four_momenta,
    log_masses,
    record,
    select,
    sum_rows,
)

PARTICLE_NAMES = ("b1", "b2", "j1", "j2", "l", "v")
"""The particles in the order of their roles."""

Group = tuple[int, ...]


def _subsets(minimum: int) -> list[Group]:
    """Lists the groups of at least ``minimum`` jets."""
    return [*chain.from_iterable(combinations(range(4), size) for size in range(minimum, 5))]


JET_GROUPS = _subsets(2)
LEPTON_GROUPS = [(*jets, LEPTON) for jets in _subsets(1)]
W_GROUPS = [(*jets, LEPTON, NEUTRINO) for jets in _subsets(1)]
MASS_GROUPS = [*JET_GROUPS, *LEPTON_GROUPS, *W_GROUPS]
"""Groups whose ln(m / GeV) are columns: of jets, lepton and jets, and the leptonic W and jets."""

MOVING_GROUPS = [*JET_GROUPS, (LEPTON, NEUTRINO), (*range(4), LEPTON, NEUTRINO)]

ENERGY, PX, PY, PZ, PT = range(5)

DIFFERENCES = (
    ("m_wbb", "m_bb"),
    ("m_wwbb", "m_wbb"),
    ("m_wwbb", "m_bb"),
    ("m_jjj", "m_jj"),
    ("m_jlv", "m_lv"),
    ("m_wbb", "m_jj"),
    ("m_wwbb", "m_jjj"),
    ("m_wwbb", "m_jlv"),
    ("m_wwbb", "m_jjj", "m_jlv"),
)
"""Published masses: the first minus the others, so that their common errors cancel."""

CANONICAL = tuple(name for name in FEATURES if name != "lepton_phi")
"""Published columns with the symmetries removed; ``lepton_phi`` is then 0 in every event."""


def derived_columns(features: tf.Tensor) -> tf.Tensor:
    """Computes the derived columns of features, float32 [28, N], in the order of ``derived_names``.

    Returns:
        float32 [columns, N].
    """
    event = record(features)
    particles, pairs = assign_roles(event)
    masses = constraints.corrected_masses(pairs)
    blocks = [
        canonical_columns(features),
        log_masses(pairs, MASS_GROUPS),
        mass_differences(event.masses),
        constraints.constrained_masses(masses),
        hypotheses.hypothesis_scores(pairs, masses, particles.tags),
        motion_columns(particles),
    ]
    return tf.concat(blocks, axis=0)


class DerivedColumns(tf_keras.layers.Layer):
    """Maps published features, float32 [N, 28], to derived columns, float32 [N, columns]."""

    def call(self, features: tf.Tensor) -> tf.Tensor:
        """Computes the columns, in the order of ``derived_names``."""
        return tf.transpose(derived_columns(tf.transpose(features)))


def canonical_columns(features: tf.Tensor) -> tf.Tensor:
    """Removes the symmetries: lepton at phi 0 and eta >= 0, missing energy at phi >= 0.

    Returns:
        In the order of ``CANONICAL``, float32 [27, N].
    """
    turn = np.float32(2 * np.pi / UNITS["lepton_phi"])
    phi_names = ["missing_energy_phi", *(f"jet_{jet}_phi" for jet in JETS)]
    eta_names = ["lepton_eta", *(f"jet_{jet}_eta" for jet in JETS)]
    other_names = [name for name in CANONICAL if name not in (*phi_names, *eta_names)]
    names = [*phi_names, *eta_names, *other_names]
    parts = tf.split(select(features, ["lepton_phi", *names]), [1, 5, 5, len(other_names)])
    lepton_phi, phi, eta, others = parts
    phi -= lepton_phi
    phi -= turn * tf.round(phi * (1 / turn))  # to the nearest turn
    rows = [*(values * _sign(values[:1]) for values in (phi, eta)), others]
    return tf.gather(tf.concat(rows, axis=0), [names.index(name) for name in CANONICAL])


def _sign(values: tf.Tensor) -> tf.Tensor:
    return tf.where(values < 0, -1.0, 1.0)


def mass_differences(masses: tf.Tensor) -> tf.Tensor:
    """Computes the ``DIFFERENCES`` of published masses, [7, N] in GeV: float32 [differences, N]."""
    masses /= 1000  # TeV
    first, others = (
        sum_rows(masses, [[HIGH_LEVEL.index(name) for name in names] for names in part])
        for part in ([names[:1] for names in DIFFERENCES], [names[1:] for names in DIFFERENCES])
    )
    return first - others


def motion_columns(particles: Particles) -> tf.Tensor:
    """Computes transverse momenta of groups, sums over all particles, and momentum fractions.

    Momenta and energies are logarithms of GeV. ``x1`` and ``x2`` belong to the two partons that
    collided: E +- |pz| of all particles.

    Returns:
        In the order of ``MOTION_NAMES``, float32 [19, N].
    """
    momenta = tf.reshape(four_momenta(particles), [4 * NUM_PARTICLES, -1])
    rows = tf.concat([momenta, particles.pt], axis=0)
    first_energy, first_px, first_py, first_pz, first_pt = range(
        0, 5 * NUM_PARTICLES, NUM_PARTICLES
    )
    groups: list[tuple[int, Group]] = [
        *((first_px, group) for group in MOVING_GROUPS),
        *((first_py, group) for group in MOVING_GROUPS),
        *((first_pt, ALL[:4]), (first_energy, ALL[:4])),
        *((first_pt, ALL), (first_energy, ALL), (first_pz, ALL)),
    ]
    sums = sum_rows(rows, [[first + particle for particle in group] for first, group in groups])
    count = len(MOVING_GROUPS)
    px, py, jets_pt, jets_energy, all_pt, energy, pz = tf.split(sums, [count, count, 1, 1, 1, 1, 1])
    longitudinal = tf.abs(pz)
    logarithms = tf.math.log(
        tf.concat(
            [
                1 + tf.sqrt(tf.square(px) + tf.square(py)),
                *(jets_pt, all_pt, energy, energy + longitudinal),
                1 + tf.maximum(energy - longitudinal, 0.0),
            ],
            axis=0,
        )
    )
    order = [*range(count + 2), count + 5, *range(count + 2, count + 5)]
    return tf.gather(tf.concat([logarithms, jets_pt / jets_energy], axis=0), order)


def _names_of(prefix: str, groups: Sequence[Group]) -> list[str]:
    return [prefix + "".join(PARTICLE_NAMES[particle] for particle in group) for group in groups]


MOTION_NAMES = (
    *_names_of("pt_", MOVING_GROUPS),
    *("pt_jets", "pt_sum", "centrality", "energy", "x1", "x2"),
)


def derived_names() -> tuple[str, ...]:
    """Returns the names of the derived columns, in order.

    >>> derived_names()[:2], "m_b1b2" in derived_names()
    (('lepton_pt', 'lepton_eta'), True)
    """
    return (
        *CANONICAL,
        *_names_of("m_", MASS_GROUPS),
        *("-".join(names) for names in DIFFERENCES),
        *constraints.NAMES,
        *hypotheses.NAMES,
        *MOTION_NAMES,
    )
