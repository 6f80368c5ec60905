"""Kinematics: the momenta of a record's particles, and their invariant masses.

Jets, lepton and neutrino are massless to the precision of the columns, so the squared mass of any
group of them is the sum over its pairs (i, j) of

    m_ij^2 = 2 pT_i pT_j (cosh(eta_i - eta_j) - cos(phi_i - phi_j))

(Particle Data Group 2022, Kinematics, section 49.5). It depends on differences of angles only, so
it is invariant under a rotation about the beam and the two reflections, and it loses no digits in
float32, as E^2 - p^2 would. Masses are sums of products and not matrix products, which a TPU would
round to bfloat16.

Events are the last dimension of every array: operations on a few particles then work on long rows.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from formats.features import DISCRETE_VALUES, FEATURES, HIGH_LEVEL, JETS, UNITS

JET_1, JET_2, JET_3, JET_4, LEPTON, NEUTRINO = ALL = tuple(range(6))

VISIBLE_PAIRS = tuple(combinations(range(NEUTRINO), 2))
NEUTRINO_PAIRS = tuple((particle, NEUTRINO) for particle in range(NEUTRINO))
PAIRS = VISIBLE_PAIRS + NEUTRINO_PAIRS
"""All pairs of particles, in the order of the rows of pair masses."""

MAX_COSH = 200.0
"""Limits the neutrino's distance from the lepton in eta; beyond, it has more energy than any
collision."""

MAX_ETA = 10.0
"""No detector reaches further; larger values, recorded by mistake, must not overflow."""

MIN_GEV = 1e-2
"""Lower limit of momenta and published masses, so that their logarithms are finite."""

Pair = tuple[int, int]


class Particles(NamedTuple):
    """Four jets, lepton and neutrino of N events, in this order, all massless.

    Attributes:
        pt: transverse momentum, GeV, float32 [6, N].
        eta: pseudorapidity, float32 [6, N].
        phi: azimuth, radians, float32 [6, N].
        tags: b-tag level 0, 1 or 2 of the jets, float32 [4, N].
    """

    pt: tf.Tensor
    eta: tf.Tensor
    phi: tf.Tensor
    tags: tf.Tensor


def select(features: tf.Tensor, names: Sequence[str]) -> tf.Tensor:
    """Selects rows of features, float32 [28, N], by name: float32 [names, N]."""
    return tf.gather(features, [FEATURES.index(name) for name in names])


def natural(features: tf.Tensor, names: Sequence[str]) -> tf.Tensor:
    """Converts rows to GeV, radians or pseudorapidity: float32 [names, N].

    >>> round(float(natural(tf.ones([28, 1]), ["m_bb"])[0, 0]), 2)
    126.04
    """
    units = np.array([UNITS[name] for name in names], np.float32)
    return select(features, names) * units[:, None]


def published_masses(features: tf.Tensor) -> tf.Tensor:
    """Returns the seven masses in the order of ``HIGH_LEVEL``, GeV: float32 [7, N]."""
    return tf.maximum(natural(features, HIGH_LEVEL), MIN_GEV)


def two_solutions(features: tf.Tensor) -> tuple[Particles, tf.Tensor]:
    """Computes the particles of each event for both neutrinos that give the published m_lv.

    The missing energy is the neutrino's transverse momentum. m_lv determines its distance from the
    lepton in pseudorapidity, but not the direction.

    Args:
        features: published, float32 [28, N].

    Returns:
        The particles with the neutrino at eta_l + d, and the neutrino's eta_l - d, float32 [N].
    """
    names = [*(f"jet_{jet}" for jet in JETS), "lepton"]
    momenta = [*(f"{name}_pt" for name in names), "missing_energy_magnitude"]
    pt = tf.maximum(natural(features, momenta), MIN_GEV)
    eta = natural(features, [f"{name}_eta" for name in names])
    eta = tf.clip_by_value(eta, -MAX_ETA, MAX_ETA)
    phi = natural(features, [f"{name}_phi" for name in (*names, "missing_energy")])
    (m_lv,) = tf.unstack(natural(features, ["m_lv"]))
    scale = 2 * pt[LEPTON] * pt[NEUTRINO]
    cosh = m_lv**2 / scale + tf.cos(phi[LEPTON] - phi[NEUTRINO])
    distance = tf.acosh(tf.clip_by_value(cosh, 1.0, MAX_COSH))
    loose = np.array([levels[1] for levels in DISCRETE_VALUES.values()], np.float32)
    tags = select(features, [*DISCRETE_VALUES]) / loose[:, None]
    plus, minus = eta[LEPTON] + distance, eta[LEPTON] - distance
    return Particles(pt, tf.concat([eta, plus[None]], axis=0), phi, tags), minus


def squared_pair_masses(particles: Particles, pairs: Sequence[Pair] = PAIRS) -> tf.Tensor:
    """Computes the squared masses of pairs of particles, GeV^2: float32 [pairs, N]."""
    first, second = np.array(pairs).T

    def differences(values: tf.Tensor) -> tf.Tensor:
        return tf.gather(values, first) - tf.gather(values, second)

    pt, eta, phi, _ = particles
    angles = tf.cosh(differences(eta)) - tf.cos(differences(phi))
    return 2 * tf.gather(pt, first) * tf.gather(pt, second) * tf.maximum(angles, 0.0)


def sum_rows(rows: tf.Tensor, groups: Sequence[Sequence[int]]) -> tf.Tensor:
    """Sums groups of rows in a fixed order: float32 [rows, ..., N] to [groups, ..., N].

    >>> sum_rows(tf.constant([[1.0], [2.0], [4.0]]), [(0, 1, 2), (2,), (0, 2)]).numpy().tolist()
    [[7.0], [4.0], [5.0]]

    TensorFlow computes ``tf.add_n``, and a chain of additions as well, beginning with a term whose
    memory happens to be free. The last digit would then depend on the load of the machine, and so
    would the trained model.
    """
    sizes = sorted({len(group) for group in groups})
    order = [[i for i, group in enumerate(groups) if len(group) == size] for size in sizes]
    sums = [
        tf.reduce_sum(tf.gather(rows, [[*groups[i]] for i in members]), axis=1)
        if size > 1
        else tf.gather(rows, [groups[i][0] for i in members])
        for size, members in zip(sizes, order, strict=True)
    ]
    if len(sums) == 1:
        return sums[0]
    return tf.gather(tf.concat(sums, axis=0), np.argsort(np.concatenate(order)))


def ordered_sum(terms: Sequence[tf.Tensor]) -> tf.Tensor:
    """Adds terms in their order, the last of which has the shape of the sum; see ``sum_rows``."""
    shape = tf.shape(terms[-1])
    return tf.reduce_sum(tf.stack([tf.broadcast_to(term, shape) for term in terms]), axis=0)


def pairs_within(group: Iterable[int]) -> list[int]:
    """Returns the rows of the pairs of a group's particles.

    >>> [PAIRS[row] for row in pairs_within([5, 0, 1])]
    [(0, 1), (0, 5), (1, 5)]
    """
    members = {*group}
    return [row for row, pair in enumerate(PAIRS) if members.issuperset(pair)]


def pairs_between(first: Iterable[int], second: Iterable[int]) -> list[int]:
    """Returns the rows of the pairs of a particle of one group and a particle of another.

    >>> [PAIRS[row] for row in pairs_between([0], [1, 5])]
    [(0, 1), (0, 5)]
    """
    return [PAIRS.index((min(a, b), max(a, b))) for a in first for b in second]


def log_masses(pairs: tf.Tensor, groups: Sequence[Sequence[int]]) -> tf.Tensor:
    """Computes the invariant masses of groups of particles.

    >>> pairs = tf.constant([[30.0**2 if pair == (0, 1) else 0.0] for pair in PAIRS])
    >>> tf.exp(log_masses(pairs, [(0, 1), (2, 3)])).numpy().round(3).tolist()
    [[30.0], [1.0]]

    Args:
        pairs: squared pair masses, GeV^2, [15, ..., N].
        groups: the particles of each group, at least two.

    Returns:
        ln(m / GeV), float32 [groups, ..., N]; masses below 1 GeV count as 1 GeV.
    """
    return log_mass(sum_rows(pairs, [pairs_within(group) for group in groups]))


def log_mass(square: tf.Tensor) -> tf.Tensor:
    """Converts squared masses, GeV^2, to ln(m / GeV); masses below 1 GeV count as 1 GeV."""
    return 0.5 * tf.math.log(tf.maximum(square, 1.0))


def four_momenta(particles: Particles) -> tf.Tensor:
    """Computes (E, px, py, pz) of the particles, GeV, float32 [6, 4, N]."""
    pt, eta, phi, _ = particles
    parts = [pt * tf.cosh(eta), pt * tf.cos(phi), pt * tf.sin(phi), pt * tf.sinh(eta)]
    return tf.stack(parts, axis=1)
