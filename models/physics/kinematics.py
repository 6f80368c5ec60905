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
from itertools import chain, combinations, groupby
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from formats.features import DISCRETE_VALUES, FEATURES, HIGH_LEVEL, JETS, MISSING_ENERGY, UNITS
from formats.features import LEPTON as LEPTON_COLUMNS

JET_1, JET_2, JET_3, JET_4, LEPTON, NEUTRINO = ALL = tuple(range(6))
OTHER_NEUTRINO = 6
"""The second neutrino that gives the published m_lv; it replaces the first."""

NUM_PARTICLES = 7

VISIBLE_PAIRS = tuple(combinations(range(NEUTRINO), 2))
NEUTRINO_PAIRS = tuple(
    (particle, neutrino) for neutrino in (NEUTRINO, OTHER_NEUTRINO) for particle in range(NEUTRINO)
)
PAIRS = VISIBLE_PAIRS + NEUTRINO_PAIRS
"""All pairs of particles, in the order of the rows of pair masses."""

MAX_COSH = 200.0
"""Limits the neutrino's distance from the lepton in eta; beyond, it has more energy than any
collision."""

MAX_ETA = 10.0
"""Beyond any detector's acceptance; larger, erroneous values must not overflow."""

MIN_GEV, MAX_GEV = 1e-2, 1e7
"""Limits of momenta and published masses, so that their logarithms and squares are finite."""

MAX_PHI = 100.0
"""Limits erroneous angles, whose cosine would depend on the platform."""

RECORDED = (
    *(f"jet_{jet}_{part}" for part in ("pt", "eta", "phi", "b_tag") for jet in JETS),
    *LEPTON_COLUMNS,
    *MISSING_ENERGY,
    *HIGH_LEVEL,
)
"""The features in the order in which ``record`` converts them."""


class Record(NamedTuple):
    """Published features in natural units: GeV, radians, pseudorapidity, b-tag level 0, 1 or 2.

    Attributes:
        jets: pT, eta, phi and b-tag of the four jets, float32 [4, 4, N].
        lepton: its pT, eta and phi, float32 [3, N].
        missing_energy: its magnitude and phi, float32 [2, N].
        masses: in the order of ``HIGH_LEVEL``, float32 [7, N].
    """

    jets: tf.Tensor
    lepton: tf.Tensor
    missing_energy: tf.Tensor
    masses: tf.Tensor


class Particles(NamedTuple):
    """Four jets, lepton and both neutrinos of N events, in this order, all massless.

    Attributes:
        pt: transverse momentum, GeV, float32 [7, N].
        eta: pseudorapidity, float32 [7, N].
        phi: azimuth, radians, float32 [7, N].
        tags: b-tag level 0, 1 or 2 of the jets, float32 [4, N].
    """

    pt: tf.Tensor
    eta: tf.Tensor
    phi: tf.Tensor
    tags: tf.Tensor


PARTICLE_ROWS = (NUM_PARTICLES, NUM_PARTICLES, NUM_PARTICLES, len(JETS))
"""Number of rows of the fields of ``Particles``."""


def select(features: tf.Tensor, names: Sequence[str]) -> tf.Tensor:
    """Selects rows of features, float32 [28, N], by name: float32 [names, N]."""
    return tf.gather(features, [FEATURES.index(name) for name in names])


def record(features: tf.Tensor) -> Record:
    """Converts published features, float32 [28, N], to natural units, within limits.

    >>> round(float(record(tf.ones([28, 1])).masses[HIGH_LEVEL.index("m_bb"), 0]), 2)
    126.04
    """
    units, low, high = np.array([_conversion(name) for name in RECORDED], np.float32).T[..., None]
    rows = tf.clip_by_value(select(features, RECORDED) * units, low, high)
    jets, lepton, missing, masses = tf.split(rows, [16, 3, 2, len(HIGH_LEVEL)])
    return Record(tf.reshape(jets, [4, len(JETS), -1]), lepton, missing, masses)


def _conversion(name: str) -> tuple[float, float, float]:
    """Returns unit and limits of a feature."""
    if name in DISCRETE_VALUES:
        return 1 / DISCRETE_VALUES[name][1], 0, 2
    if name.endswith("_eta"):
        return UNITS[name], -MAX_ETA, MAX_ETA
    if name.endswith("_phi"):
        return UNITS[name], -MAX_PHI, MAX_PHI
    return UNITS[name], MIN_GEV, MAX_GEV


def particle_rows(event: Record) -> tf.Tensor:
    """Computes the particles, with both neutrinos that give the published m_lv.

    The missing energy is the neutrino's transverse momentum. m_lv determines its distance from the
    lepton in pseudorapidity, but not the direction.

    Returns:
        The rows of ``Particles``, float32 [25, N]; the first neutrino is the one at the larger eta.
    """
    lepton_pt, lepton_eta, lepton_phi = tf.split(event.lepton, 3)
    pt, phi = tf.split(event.missing_energy, 2)
    m_lv = tf.gather(event.masses, [HIGH_LEVEL.index("m_lv")])
    cosh = tf.square(m_lv) / (2 * lepton_pt * pt) + tf.cos(lepton_phi - phi)
    distance = tf.acosh(tf.clip_by_value(cosh, 1.0, MAX_COSH))
    rows = [
        tf.reshape(event.jets, [16, -1]),
        *(event.lepton, event.missing_energy),
        *(lepton_eta + distance, lepton_eta - distance),
    ]
    pt_rows = [*range(4), 16, 19, 19]
    eta_rows = [*range(4, 8), 17, 21, 22]
    phi_rows = [*range(8, 12), 18, 20, 20]
    return tf.gather(tf.concat(rows, 0), [*pt_rows, *eta_rows, *phi_rows, *range(12, 16)])


def to_particles(rows: tf.Tensor) -> Particles:
    """Splits the rows of ``particle_rows``."""
    return Particles(*tf.split(rows, PARTICLE_ROWS))


def squared_pair_masses(particles: Particles) -> tf.Tensor:
    """Computes the squared masses of the ``PAIRS``, GeV^2: float32 [20, N]."""
    first, second = np.array(PAIRS).T

    def differences(values: tf.Tensor) -> tf.Tensor:
        return tf.gather(values, first) - tf.gather(values, second)

    pt, eta, phi, _ = particles
    angles = tf.cosh(differences(eta)) - tf.cos(differences(phi))
    return 2 * tf.gather(pt, first) * tf.gather(pt, second) * tf.maximum(angles, 0.0)


def sum_rows(rows: tf.Tensor, groups: Sequence[Sequence[int]]) -> tf.Tensor:
    """Sums groups of rows in a fixed order: float32 [rows, ..., N] to [groups, ..., N].

    >>> sum_rows(tf.constant([[1.0], [2.0], [4.0]]), [(0, 1, 2), (2,), (0, 2)]).numpy().tolist()
    [[7.0], [4.0], [5.0]]

    TensorFlow starts ``tf.add_n``, and also a chain of additions, with a term whose memory happens
    to be free. The last digit, and with it the trained model, would then depend on the machine's
    load.
    """
    groups = [tuple(sorted(group)) for group in groups]
    different = sorted(set(groups), key=lambda group: (len(group), group))
    sums = [
        tf.reduce_sum(tf.gather(rows, [*members]), axis=1)
        if size > 1
        else tf.gather(rows, [*chain.from_iterable(members)])
        for size, members in groupby(different, len)
    ]
    order = [different.index(group) for group in groups]
    joined = tf.concat(sums, axis=0) if sums[1:] else sums[0]
    return joined if order == [*range(len(order))] else tf.gather(joined, order)


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
        pairs: squared pair masses, GeV^2, [20, N].
        groups: the particles of each group, at least two.

    Returns:
        ln(m / GeV), float32 [groups, N]; masses below 1 GeV count as 1 GeV.
    """
    return log_mass(sum_rows(pairs, [pairs_within(group) for group in groups]))


def log_mass(square: tf.Tensor) -> tf.Tensor:
    """Converts squared masses, GeV^2, to ln(m / GeV); masses below 1 GeV count as 1 GeV."""
    return 0.5 * tf.math.log(tf.maximum(square, 1.0))


def four_momenta(particles: Particles) -> tf.Tensor:
    """Computes E, px, py and pz of the particles, GeV, float32 [4, 7, N]."""
    pt, eta, phi, _ = particles
    parts = tf.concat([tf.cosh(eta), tf.cos(phi), tf.sin(phi), tf.sinh(eta)], axis=0)
    return pt * tf.reshape(parts, [4, NUM_PARTICLES, -1])
