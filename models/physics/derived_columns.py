"""Derived columns: what a physicist would compute from a collision before classifying it.

They are invariant under the symmetries of proton collisions: the rotation about the beam and the
reflections in phi and in eta. All shapes are static, and XLA can compile every operation.
"""

import functools
from collections.abc import Mapping
from itertools import chain, combinations
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from formats.features import FEATURES, HIGH_LEVEL, NUM_FEATURES, UNITS
from models.physics.constraints import constrained_columns
from models.physics.hypotheses import hypothesis_columns
from models.physics.jet_roles import assign_roles
from models.physics.kinematics import (
    LEPTON,
    NEUTRINO,
    Particles,
    column,
    four_momenta,
    log_masses,
    ordered_sum,
    published_masses,
    squared_pair_masses,
)

NAMES = ("b1", "b2", "j1", "j2", "l", "v")
"""The particles in the order of their roles."""

Group = tuple[int, ...]


def _subsets(minimum: int) -> list[Group]:
    """Lists the groups of at least ``minimum`` jets."""
    return [*chain.from_iterable(combinations(range(4), size) for size in range(minimum, 5))]


JET_GROUPS = _subsets(2)
LEPTON_GROUPS = [(*jets, LEPTON) for jets in _subsets(1)]
W_GROUPS = [(*jets, LEPTON, NEUTRINO) for jets in _subsets(1)]
MOVING_GROUPS = [*JET_GROUPS, (LEPTON, NEUTRINO), (*range(4), LEPTON, NEUTRINO)]

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

Columns = Mapping[str, tf.Tensor]


def derived_columns(features: tf.Tensor) -> dict[str, tf.Tensor]:
    """Computes the derived columns of features, float32 [N, 28], by name, float32 [N] each."""
    particles, other = assign_roles(features)
    pairs, other_pairs = squared_pair_masses(particles), squared_pair_masses(other)
    return {
        **canonical_columns(features),
        **mass_columns(pairs),
        **difference_columns(features),
        **constrained_columns(pairs, other_pairs),
        **hypothesis_columns(pairs, other_pairs, particles.tags),
        **motion_columns(particles),
    }


class DerivedColumns(tf_keras.layers.Layer):
    """Maps published features, float32 [N, 28], to derived columns, float32 [N, columns]."""

    def call(self, features: tf.Tensor) -> tf.Tensor:
        """Computes the columns, in the order of ``derived_names``."""
        return tf.stack(list(derived_columns(features).values()), axis=1)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """Returns [N, columns] for [N, 28]."""
        return input_shape[0], len(derived_names())


def canonical_columns(features: tf.Tensor) -> Columns:
    """Removes the symmetries: lepton at phi 0 and eta >= 0, missing energy at phi >= 0.

    ``lepton_phi`` is then 0 in every event and omitted.
    """
    lepton_phi = column(features, "lepton_phi")
    turn = 2 * np.pi / UNITS["lepton_phi"]

    def turned(name: str) -> tf.Tensor:
        return tf.math.floormod(column(features, name) - lepton_phi + turn / 2, turn) - turn / 2

    phi_sign = _sign(turned("missing_energy_phi"))
    eta_sign = _sign(column(features, "lepton_eta"))
    canonical = {}
    for name in FEATURES:
        if name.endswith("_phi"):
            canonical[name] = turned(name) * phi_sign
        elif name.endswith("_eta"):
            canonical[name] = column(features, name) * eta_sign
        else:
            canonical[name] = column(features, name)
    del canonical["lepton_phi"]
    return canonical


def _sign(values: tf.Tensor) -> tf.Tensor:
    return tf.where(values < 0, -1.0, 1.0)


def mass_columns(pairs: tf.Tensor) -> Columns:
    """Computes ln(m / GeV) of jets, of lepton and jets, and of the leptonic W and jets.

    Args:
        pairs: squared pair masses of the particles by role, [N, 15].
    """
    groups = [*JET_GROUPS, *LEPTON_GROUPS, *W_GROUPS]
    values = tf.unstack(log_masses(pairs, groups), axis=1)
    return dict(zip((f"m_{_name(group)}" for group in groups), values, strict=True))


def difference_columns(features: tf.Tensor) -> Columns:
    """Computes differences of published masses, in TeV."""
    masses = tf.unstack(published_masses(features) / 1000, axis=1)
    by_name = dict(zip(HIGH_LEVEL, masses, strict=True))
    return {
        "-".join((first, *others)): by_name[first] - ordered_sum([by_name[name] for name in others])
        for first, *others in DIFFERENCES
    }


def motion_columns(particles: Particles) -> Columns:
    """Computes transverse momenta of groups, sums over all particles, and momentum fractions.

    Momenta and energies are logarithms of GeV. ``x1`` and ``x2`` belong to the two partons that
    collided: E +- |pz| of all particles.
    """
    p = four_momenta(particles)
    jets_pt = tf.reduce_sum(particles.pt[:, :4], axis=1)
    energy = tf.reduce_sum(p[:, :, 0], axis=1)
    longitudinal = tf.abs(tf.reduce_sum(p[:, :, 3], axis=1))
    return {
        **{f"pt_{_name(group)}": _log_pt(p, group) for group in MOVING_GROUPS},
        "pt_jets": tf.math.log(jets_pt),
        "pt_sum": tf.math.log(tf.reduce_sum(particles.pt, axis=1)),
        "centrality": jets_pt / tf.reduce_sum(p[:, :4, 0], axis=1),
        "energy": tf.math.log(energy),
        "x1": tf.math.log(energy + longitudinal),
        "x2": tf.math.log(1 + tf.maximum(energy - longitudinal, 0.0)),
    }


def _log_pt(p: tf.Tensor, group: Group) -> tf.Tensor:
    px, py = (ordered_sum([p[:, particle, axis] for particle in group]) for axis in (1, 2))
    return tf.math.log(1 + tf.sqrt(px**2 + py**2))


def _name(group: Group) -> str:
    return "".join(NAMES[particle] for particle in group)


@functools.cache
def derived_names() -> tuple[str, ...]:
    """Returns the names of the derived columns, in order.

    >>> derived_names()[:2], "m_b1b2" in derived_names()
    (('lepton_pt', 'lepton_eta'), True)
    """
    # Not at import, which must not fix the devices that TensorFlow uses.
    with tf.init_scope():
        return tuple(derived_columns(tf.ones([1, NUM_FEATURES])))
