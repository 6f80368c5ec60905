"""Roles of the jets, and the neutrino's direction, chosen to reproduce the published masses.

The masses of a record were computed from an assignment of jets to decays that was not published.
The two jets with the highest b-tags form m_bb; one of them is part of m_jjj, the other of m_jlv;
and only one of the two possible directions of the neutrino gives m_jlv and m_wwbb.
"""

from collections.abc import Sequence

import tensorflow as tf

from formats.features import HIGH_LEVEL
from models.physics.kinematics import (
    ALL,
    LEPTON,
    NEUTRINO,
    Particles,
    log_masses,
    published_masses,
    squared_pair_masses,
    two_solutions,
)

B1, B2, J1, J2 = range(4)
"""The jets by role: b of the hadronic top, b of the leptonic top, and the two jets of the hadronic
W, the one with the higher momentum first."""

FAR_TOP, FAR_NEUTRINO = 0.3, 0.5
"""Largest difference between logarithms of masses that is counted; limits the influence of
outliers."""


def assign_roles(features: tf.Tensor) -> tuple[Particles, Particles]:
    """Orders the jets of published features, float32 [N, 28], by their roles.

    Returns:
        The particles with the neutrino that reproduces the masses, and with the other neutrino.
    """
    masses = tf.math.log(published_masses(features))
    chosen, other = _choose_neutrino(masses, *two_solutions(features))
    order = _tagged_first(chosen.tags)
    chosen, other = _permuted(chosen, order), _permuted(other, order)
    swap = _bottoms_are_swapped(masses, chosen)
    return _swapped(chosen, swap), _swapped(other, swap)


def _choose_neutrino(
    masses: tf.Tensor, plus: Particles, minus: Particles
) -> tuple[Particles, Particles]:
    swap = (_neutrino_error(masses, minus) < _neutrino_error(masses, plus))[:, None]
    chosen = plus._replace(eta=tf.where(swap, minus.eta, plus.eta))
    return chosen, plus._replace(eta=tf.where(swap, plus.eta, minus.eta))


def _neutrino_error(masses: tf.Tensor, particles: Particles) -> tf.Tensor:
    groups: list[Sequence[int]] = [(LEPTON, NEUTRINO, jet) for jet in range(4)]
    computed = log_masses(squared_pair_masses(particles), [*groups, ALL])
    tops = tf.reduce_min(tf.abs(computed[:, :4] - _mass(masses, "m_jlv")[:, None]), axis=1)
    total = tf.abs(computed[:, 4] - _mass(masses, "m_wwbb"))
    return tf.minimum(tops, FAR_NEUTRINO) + tf.minimum(total, FAR_NEUTRINO)


def _tagged_first(tags: tf.Tensor) -> tf.Tensor:
    """Orders the two b jets first, then the others, each by pT: one-hot, float32 [N, role, jet].

    Every two jets are compared, because sorting is slow on a TPU, and sums of these are exact.
    """
    position = tf.range(4, dtype=tf.float32)
    is_bottom = tf.cast(_rank(10 * tags - position) < 2, tf.float32)
    rank = _rank(10 * is_bottom - position)
    return tf.cast(rank[:, None, :] == position[:, None], tf.float32)


def _rank(keys: tf.Tensor) -> tf.Tensor:
    """Counts for each key how many keys of its row are larger, float32 [N, 4]."""
    larger = keys[:, None, :] > keys[:, :, None]
    return tf.reduce_sum(tf.cast(larger, tf.float32), axis=2)


def _permuted(particles: Particles, order: tf.Tensor) -> Particles:
    def jets(values: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(order * values[:, None, :4], axis=2)

    pt, eta, phi = (tf.concat([jets(values), values[:, 4:]], axis=1) for values in particles[:3])
    return Particles(pt, eta, phi, jets(particles.tags))


def _bottoms_are_swapped(masses: tf.Tensor, particles: Particles) -> tf.Tensor:
    groups = [(B1, J1, J2), (B2, LEPTON, NEUTRINO), (B2, J1, J2), (B1, LEPTON, NEUTRINO)]
    computed = log_masses(squared_pair_masses(particles), groups)
    tops = tf.stack([_mass(masses, "m_jjj"), _mass(masses, "m_jlv")] * 2, axis=1)
    errors = tf.minimum(tf.abs(computed - tops), FAR_TOP)
    return errors[:, 2] + errors[:, 3] < errors[:, 0] + errors[:, 1]


def _swapped(particles: Particles, swap: tf.Tensor) -> Particles:
    """Exchanges the first two jets where ``swap``, bool [N], is true."""

    def exchange(values: tf.Tensor) -> tf.Tensor:
        exchanged = tf.concat([values[:, 1:2], values[:, :1], values[:, 2:]], axis=1)
        return tf.where(swap[:, None], exchanged, values)

    return Particles(*(exchange(values) for values in particles))


def _mass(masses: tf.Tensor, name: str) -> tf.Tensor:
    return masses[:, HIGH_LEVEL.index(name)]
