"""Roles of the jets, and the neutrino's direction, chosen to reproduce the published masses.

The masses of a record were computed from an assignment of jets to decays that was not published.
The two jets with the highest b-tags form m_bb; one of them is part of m_jjj, the other of m_jlv;
and only one of the two possible directions of the neutrino gives m_jlv and m_wwbb.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from formats.features import HIGH_LEVEL
from models.physics.kinematics import (
    ALL,
    LEPTON,
    NEUTRINO,
    NUM_PARTICLES,
    OTHER_NEUTRINO,
    PAIRS,
    Particles,
    Record,
    log_masses,
    particle_rows,
    squared_pair_masses,
    to_particles,
)

B1, B2, J1, J2 = range(4)
"""The jets by role: b of the hadronic top, b of the leptonic top, and the two jets of the hadronic
W, the one with the higher momentum first."""

FAR_TOP, FAR_NEUTRINO = 0.3, 0.5
"""Cap on differences between logarithms of masses; limits the influence of outliers."""

SWAPPED = (B1, B2, J1, J2, LEPTON, OTHER_NEUTRINO, NEUTRINO)
EXCHANGED = (B2, B1, J1, J2, LEPTON, NEUTRINO, OTHER_NEUTRINO)
"""The particles after the neutrinos have changed places, and after the b jets have."""

HADRONIC_TOPS = [(bottom, J1, J2) for bottom in (B1, B2)]

NUM_JETS = 4


class Roles(NamedTuple):
    """The particles by role; the first neutrino is the one that reproduces the masses.

    Attributes:
        particles: the particles.
        pairs: squared pair masses, GeV^2, float32 [20, N].
    """

    particles: Particles
    pairs: tf.Tensor


def assign_roles(event: Record) -> Roles:
    """Orders the jets of N events by their roles."""
    rows = particle_rows(event._replace(jets=_tagged_first(event.jets)))
    pairs = squared_pair_masses(to_particles(rows))
    for is_changed, order in zip(_changes(event.masses, pairs), (SWAPPED, EXCHANGED), strict=True):
        rows = tf.where(is_changed, tf.gather(rows, _particles_after(order)), rows)
        pairs = tf.where(is_changed, tf.gather(pairs, _pairs_after(order)), pairs)
    return Roles(to_particles(rows), pairs)


def _particles_after(order: Sequence[int]) -> list[int]:
    """Returns the rows of particles in another order."""
    parts = [NUM_PARTICLES * part + particle for part in range(3) for particle in order]
    return [*parts, *(3 * NUM_PARTICLES + jet for jet in order[:NUM_JETS])]


def _pairs_after(order: Sequence[int]) -> list[int]:
    """Returns the rows of the pairs of particles in another order."""
    ordered = ((order[first], order[second]) for first, second in PAIRS)
    return [PAIRS.index((min(pair), max(pair))) for pair in ordered]


def _changes(masses: tf.Tensor, pairs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns whether other roles reproduce the published masses better.

    Args:
        masses: published masses, GeV, [7, N].
        pairs: squared pair masses, [20, N].

    Returns:
        Whether the second neutrino does, and with the better one, whether the b jets do if they
        exchange their roles; bool [1, N] each.
    """
    groups: dict[tuple[int, ...], str] = {}
    for neutrino in (NEUTRINO, OTHER_NEUTRINO):
        groups |= {(jet, LEPTON, neutrino): "m_jlv" for jet in range(NUM_JETS)}
        groups |= {(*ALL[:NEUTRINO], neutrino): "m_wwbb"}
    groups |= dict.fromkeys(HADRONIC_TOPS, "m_jjj")
    published = tf.gather(tf.math.log(masses), [HIGH_LEVEL.index(m) for m in groups.values()])
    errors = tf.minimum(tf.abs(log_masses(pairs, [*groups]) - published), FAR_NEUTRINO)
    tops, total, other_tops, other_total, hadronic = tf.split(errors, [4, 1, 4, 1, 2])
    error, other_error = (
        tf.reduce_min(leptonic, axis=0, keepdims=True) + each
        for leptonic, each in ((tops, total), (other_tops, other_total))
    )
    is_swapped = other_error < error
    leptonic = tf.gather(tf.where(is_swapped, other_tops, tops), [B1, B2])
    # The error of each b jet in the hadronic top, minus its error in the leptonic top.
    first, second = tf.split(tf.minimum(hadronic, FAR_TOP) - tf.minimum(leptonic, FAR_TOP), 2)
    return is_swapped, second < first


def _tagged_first(jets: tf.Tensor) -> tf.Tensor:
    """Orders the jets, [4, 4, N]: the two b jets first, then the others, each by pT.

    Every two jets are compared, because sorting is slow on a TPU, and sums of these are exact.
    """
    position = np.arange(NUM_JETS, dtype=np.float32)[:, None]
    tags = tf.gather(jets, 3)
    is_bottom = tf.cast(_rank(10 * tags - position) < 2, tf.float32)
    rank = _rank(10 * is_bottom - position)
    order = tf.cast(rank == position[:, None], tf.float32)  # one-hot, [role, jet, N]
    return tf.reduce_sum(order * jets[:, None], axis=2)


def _rank(keys: tf.Tensor) -> tf.Tensor:
    """Counts for each key how many keys of its event are larger, float32 [4, N]."""
    return tf.reduce_sum(tf.cast(keys > keys[:, None], tf.float32), axis=1)
