"""Roles of the jets, and the neutrino's direction, chosen to reproduce the published masses.

The masses of a record were computed from an assignment of jets to decays that was not published.
The two jets with the highest b-tags form m_bb; one of them is part of m_jjj, the other of m_jlv;
and only one of the two possible directions of the neutrino gives m_jlv and m_wwbb.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from formats.features import HIGH_LEVEL
from models.physics.kinematics import (
    ALL,
    LEPTON,
    NEUTRINO,
    NEUTRINO_PAIRS,
    PAIRS,
    VISIBLE_PAIRS,
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

EXCHANGED = (B2, B1, J1, J2, LEPTON, NEUTRINO)
"""The particles after the b jets have changed their roles."""

_EXCHANGED_PAIRS = [
    PAIRS.index((min(pair), max(pair)))
    for pair in ((EXCHANGED[first], EXCHANGED[second]) for first, second in PAIRS)
]


class Roles(NamedTuple):
    """The particles by role, for both neutrinos: first the one that reproduces the masses.

    Attributes:
        particles: with the first neutrino.
        other: with the second neutrino.
        pairs: squared pair masses with each neutrino, GeV^2, float32 [15, 2, N].
    """

    particles: Particles
    other: Particles
    pairs: tf.Tensor


def assign_roles(features: tf.Tensor) -> Roles:
    """Orders the jets of published features, float32 [28, N], by their roles."""
    masses = tf.math.log(published_masses(features))
    plus, minus_eta = two_solutions(features)
    plus = _tagged_first(plus)
    minus = _with_neutrino(plus, minus_eta)
    pairs = _pairs_of_both(plus, minus)
    swap = _neutrinos_are_swapped(masses, pairs)
    chosen = _with_neutrino(plus, tf.where(swap, minus_eta, plus.eta[NEUTRINO]))
    other = _with_neutrino(plus, tf.where(swap, plus.eta[NEUTRINO], minus_eta))
    pairs = tf.where(swap, pairs[:, ::-1], pairs)
    exchange = _bottoms_are_exchanged(masses, pairs[:, 0])
    pairs = tf.where(exchange, tf.gather(pairs, _EXCHANGED_PAIRS), pairs)
    return Roles(_exchanged(chosen, exchange), _exchanged(other, exchange), pairs)


def _with_neutrino(particles: Particles, eta: tf.Tensor) -> Particles:
    return particles._replace(eta=tf.concat([particles.eta[:NEUTRINO], eta[None]], axis=0))


def _pairs_of_both(plus: Particles, minus: Particles) -> tf.Tensor:
    """Computes the squared pair masses, [15, 2, N]; only the pairs of the neutrino differ."""
    visible = squared_pair_masses(plus, VISIBLE_PAIRS)
    neutrinos = (squared_pair_masses(each, NEUTRINO_PAIRS) for each in (plus, minus))
    return tf.concat([tf.stack([visible] * 2, axis=1), tf.stack([*neutrinos], axis=1)], axis=0)


def _neutrinos_are_swapped(masses: tf.Tensor, pairs: tf.Tensor) -> tf.Tensor:
    """Tells whether the second neutrino reproduces the masses better, bool [N]."""
    computed = log_masses(pairs, [*((LEPTON, NEUTRINO, jet) for jet in range(4)), ALL])
    tops = tf.reduce_min(tf.abs(computed[:4] - _mass(masses, "m_jlv")), axis=0)
    total = tf.abs(computed[4] - _mass(masses, "m_wwbb"))
    errors = tf.minimum(tops, FAR_NEUTRINO) + tf.minimum(total, FAR_NEUTRINO)
    return errors[1] < errors[0]


def _tagged_first(particles: Particles) -> Particles:
    """Orders the jets: the two b jets first, then the others, each by pT.

    Every two jets are compared, because sorting is slow on a TPU, and sums of these are exact.
    """
    position = np.arange(4, dtype=np.float32)[:, None]
    is_bottom = tf.cast(_rank(10 * particles.tags - position) < 2, tf.float32)
    rank = _rank(10 * is_bottom - position)
    order = tf.cast(rank == position[:, None], tf.float32)  # one-hot, [role, jet, N]
    jets = tf.stack([part[:4] for part in particles])
    pt, eta, phi, tags = tf.unstack(tf.reduce_sum(order * jets[:, None], axis=2))
    pt, eta, phi = (
        tf.concat([part, each[4:]], axis=0)
        for part, each in zip((pt, eta, phi), particles[:3], strict=True)
    )
    return Particles(pt, eta, phi, tags)


def _rank(keys: tf.Tensor) -> tf.Tensor:
    """Counts for each key how many keys of its event are larger, float32 [4, N]."""
    return tf.reduce_sum(tf.cast(keys > keys[:, None], tf.float32), axis=1)


def _bottoms_are_exchanged(masses: tf.Tensor, pairs: tf.Tensor) -> tf.Tensor:
    """Tells whether the masses fit better if the b jets change their roles, bool [N]."""
    groups = [(B1, J1, J2), (B2, LEPTON, NEUTRINO), (B2, J1, J2), (B1, LEPTON, NEUTRINO)]
    tops = tf.stack([_mass(masses, "m_jjj"), _mass(masses, "m_jlv")] * 2)
    errors = tf.minimum(tf.abs(log_masses(pairs, groups) - tops), FAR_TOP)
    return errors[2] + errors[3] < errors[0] + errors[1]


def _exchanged(particles: Particles, exchange: tf.Tensor) -> Particles:
    """Exchanges the first two jets where ``exchange``, bool [N], is true."""
    return Particles(
        *(
            tf.where(exchange, tf.gather(part, EXCHANGED[: part.shape[0]]), part)
            for part in particles
        )
    )


def _mass(masses: tf.Tensor, name: str) -> tf.Tensor:
    return masses[HIGH_LEVEL.index(name)]
