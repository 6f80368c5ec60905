"""Kinematics: the momenta of a record's particles, and their invariant masses.

Jets, lepton and neutrino are massless to the precision of the columns, so the squared mass of any
group of them is the sum over its pairs (i, j) of

    m_ij^2 = 2 pT_i pT_j (cosh(eta_i - eta_j) - cos(phi_i - phi_j))

(Particle Data Group 2022, Kinematics, section 49.5). It depends on differences of angles only, so
it is invariant under a rotation about the beam and the two reflections, and it loses no digits in
float32, as E^2 - p^2 would. Masses are sums of products and not matrix products, which a TPU would
round to bfloat16.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from formats.features import DISCRETE_VALUES, FEATURES, HIGH_LEVEL, JETS, UNITS

JET_1, JET_2, JET_3, JET_4, LEPTON, NEUTRINO = ALL = tuple(range(6))

PAIRS = tuple(combinations(ALL, 2))
"""All pairs of particles, in the order of the columns of pair masses."""

_FIRST, _SECOND = np.array(PAIRS).T

MAX_COSH = 200.0
"""Limits the neutrino's distance from the lepton in eta; beyond, it has more energy than any
collision."""

MAX_ETA = 10.0
"""No detector reaches further; larger values, recorded by mistake, must not overflow."""

MIN_GEV = 1e-2
"""Lower limit of momenta and published masses, so that their logarithms are finite."""


class Particles(NamedTuple):
    """Four jets, lepton and neutrino of N events, in this order, all massless.

    Attributes:
        pt: transverse momentum, GeV, float32 [N, 6].
        eta: pseudorapidity, float32 [N, 6].
        phi: azimuth, radians, float32 [N, 6].
        tags: b-tag level 0, 1 or 2 of the jets, float32 [N, 4].
    """

    pt: tf.Tensor
    eta: tf.Tensor
    phi: tf.Tensor
    tags: tf.Tensor


def column(features: tf.Tensor, name: str) -> tf.Tensor:
    """Selects a column of features, float32 [N, 28], by name: float32 [N]."""
    return features[:, FEATURES.index(name)]


def natural(features: tf.Tensor, name: str) -> tf.Tensor:
    """Converts a column to GeV, radians or pseudorapidity: float32 [N].

    >>> round(float(natural(tf.ones([1, 28]), "m_bb")), 2)
    126.04
    """
    return column(features, name) * UNITS[name]


def published_masses(features: tf.Tensor) -> tf.Tensor:
    """Returns the seven masses in the order of ``HIGH_LEVEL``, GeV: float32 [N, 7]."""
    masses = [natural(features, name) for name in HIGH_LEVEL]
    return tf.maximum(tf.stack(masses, axis=1), MIN_GEV)


def two_solutions(features: tf.Tensor) -> tuple[Particles, Particles]:
    """Computes the particles of each event for both neutrinos that give the published m_lv.

    The missing energy is the neutrino's transverse momentum. m_lv determines its distance from the
    lepton in pseudorapidity, but not the direction.

    Args:
        features: published, float32 [N, 28].

    Returns:
        The particles with the neutrino at eta_l + d, and with the neutrino at eta_l - d.
    """
    names = [*(f"jet_{jet}" for jet in JETS), "lepton"]
    missing_phi = natural(features, "missing_energy_phi")
    eta = [tf.clip_by_value(natural(features, f"{name}_eta"), -MAX_ETA, MAX_ETA) for name in names]
    phi = [*(natural(features, f"{name}_phi") for name in names), missing_phi]
    momenta = [*(f"{name}_pt" for name in names), "missing_energy_magnitude"]
    pt = tf.maximum(tf.stack([natural(features, name) for name in momenta], axis=1), MIN_GEV)
    scale = 2 * pt[:, LEPTON] * pt[:, NEUTRINO]
    cosh = natural(features, "m_lv") ** 2 / scale + tf.cos(phi[LEPTON] - missing_phi)
    distance = tf.acosh(tf.clip_by_value(cosh, 1.0, MAX_COSH))
    tags = [column(features, name) / levels[1] for name, levels in DISCRETE_VALUES.items()]
    plus, minus = (
        Particles(
            pt,
            tf.stack([*eta, eta[LEPTON] + offset], axis=1),
            tf.stack(phi, axis=1),
            tf.stack(tags, axis=1),
        )
        for offset in (distance, -distance)
    )
    return plus, minus


def ordered_sum(terms: Sequence[tf.Tensor]) -> tf.Tensor:
    """Adds up tensors in the given order; their shapes are broadcast to that of the last one.

    TensorFlow computes ``tf.add_n``, and a chain of additions as well, beginning with a term whose
    memory happens to be free. The last digit would then depend on the load of the machine, and so
    would the trained model.
    """
    shape = tf.shape(terms[-1])
    return tf.reduce_sum(tf.stack([tf.broadcast_to(term, shape) for term in terms]), axis=0)


def squared_pair_masses(particles: Particles) -> tf.Tensor:
    """Computes the squared masses of all pairs, GeV^2, in the order of ``PAIRS``: [N, 15]."""

    def of_first(values: tf.Tensor) -> tf.Tensor:
        return tf.gather(values, _FIRST, axis=1)

    def of_second(values: tf.Tensor) -> tf.Tensor:
        return tf.gather(values, _SECOND, axis=1)

    pt, eta, phi, _ = particles
    angles = tf.cosh(of_first(eta) - of_second(eta)) - tf.cos(of_first(phi) - of_second(phi))
    return 2 * of_first(pt) * of_second(pt) * tf.maximum(angles, 0.0)


def membership(groups: Iterable[Iterable[int]]) -> np.ndarray:
    """Counts how many particles of each pair are in a group: float32 [groups, 15] of 0, 1 and 2.

    >>> dict(zip(PAIRS, membership([(0, 1)])[0].tolist()))[(0, 5)]
    1.0
    """
    return np.array(
        [[len({*group} & {*pair}) for pair in PAIRS] for group in groups], dtype=np.float32
    )


def log_masses(pairs: tf.Tensor, groups: Sequence[Sequence[int]]) -> tf.Tensor:
    """Computes the invariant masses of groups of particles.

    >>> pairs = tf.constant([[30.0**2 if pair == (0, 1) else 0.0 for pair in PAIRS]])
    >>> tf.exp(log_masses(pairs, [(0, 1), (2, 3)])).numpy().round(3).tolist()
    [[30.0, 1.0]]

    Args:
        pairs: squared pair masses, GeV^2, [N, 15].
        groups: the particles of each group.

    Returns:
        ln(m / GeV), float32 [N, groups]; masses below 1 GeV count as 1 GeV.
    """
    return log_masses_of(pairs, membership(groups))


def log_masses_of(pairs: tf.Tensor, members: np.ndarray) -> tf.Tensor:
    """Computes ``log_masses`` of ``membership`` [..., groups, 15]: [..., groups]."""
    is_inside = (members == 2).astype(np.float32)
    squares = tf.reduce_sum(pairs[..., None, :] * is_inside, axis=-1)
    return 0.5 * tf.math.log(tf.maximum(squares, 1.0))


def scale_momenta(pairs: tf.Tensor, members: np.ndarray, factor: tf.Tensor) -> tf.Tensor:
    """Computes the squared pair masses after the momenta of a group are scaled.

    Args:
        pairs: squared pair masses before, GeV^2, [..., 15].
        members: ``membership`` of the group, [..., 15].
        factor: the factor of the momenta, [...].
    """
    factor = factor[..., None]
    return pairs * tf.where(members == 2, factor**2, tf.where(members == 1, factor, 1.0))


def four_momenta(particles: Particles) -> tf.Tensor:
    """Computes (E, px, py, pz) of the particles, GeV, float32 [N, 6, 4]."""
    pt, eta, phi, _ = particles
    parts = [pt * tf.cosh(eta), pt * tf.cos(phi), pt * tf.sin(phi), pt * tf.sinh(eta)]
    return tf.stack(parts, axis=2)
