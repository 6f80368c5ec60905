"""Masses under constraints: the light jets have the mass of a W, the b jets that of a Higgs.

The energy of a jet is known to about 15 %, the masses of W and Higgs far better. The momenta of the
light jets are therefore scaled until their mass is that of a W, those of the b jets until it is
that of a Higgs, and the masses of larger groups are computed again. Their peaks are narrower if the
hypothesis is right.

A squared pair mass is proportional to both momenta. The squared mass of a group is therefore a
polynomial in the two factors, whose coefficients are sums of pairs.
"""

from enum import IntEnum
from itertools import combinations
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from models.physics.jet_roles import B1, B2, J1, J2
from models.physics.kinematics import (
    LEPTON,
    NEUTRINO,
    OTHER_NEUTRINO,
    log_mass,
    pairs_between,
    pairs_within,
    sum_rows,
)
from models.physics.resonances import HIGGS, W

LARGEST_FACTOR = 2.0
"""Largest correction of a momentum; pairs of jets that need more do not come from a W or Higgs."""

BOTTOMS = tuple(combinations(range(4), 2))
"""The choices of the two b jets."""

LIGHTS = tuple(tuple(jet for jet in range(4) if jet not in pair) for pair in BOTTOMS)
"""The two light jets of each choice."""

BY_ROLE = BOTTOMS.index((B1, B2))
assert LIGHTS[BY_ROLE] == (J1, J2)

NAMES = (
    *("m_b1jj_at_W", "m_b2jj_at_W", "m_jjbb_at_W", "m_all_at_W"),
    *("m_jjbb_at_h", "m_lvbb_at_h", "m_all_at_h"),
    *("m_jjbb_at_Wh", "m_all_at_Wh"),
    *("m_all_at_W'", "m_lvbb_at_h'", "m_all_at_h'", "m_all_at_Wh'"),
)
"""Masses with the light jets at the W, the b jets at the Higgs, both; a prime marks the other
neutrino."""

CORRECTIONS = (
    *((choice, True, True) for choice in range(len(BOTTOMS))),
    (BY_ROLE, True, False),
    (BY_ROLE, False, True),
)
"""A choice of the b jets, and whether light and b jets are corrected."""

AT_W, AT_HIGGS = len(BOTTOMS), len(BOTTOMS) + 1
"""The corrections of only the light and only the b jets by role; ``BY_ROLE`` is that of both."""


class Group(IntEnum):
    """Groups of particles whose masses are corrected."""

    HADRONIC_TOP = 0
    """The light jets with one of the b jets."""
    JETS = 1
    BOTTOMS_AND_LEPTONS = 2
    ALL = 3


TERMS_OF_GROUP = ((0, 2), (1, 4), (3, 6), (1, 7))
"""The terms, of those that ``_terms`` lists, in the squared mass of each group: from and to."""

_LIGHT, _BOTTOM, _ONE = 0, len(BOTTOMS), 2 * len(BOTTOMS)
"""Rows of the factors: of the light and the b jets of each choice, and 1."""


class CorrectedMasses(NamedTuple):
    """Masses as ln(m / GeV).

    Attributes:
        pairs: the light jets, then the b jets of each choice, before the correction, [12, N].
        groups: corrected masses, in the rows of ``corrected_row``, [64, N].
    """

    pairs: tf.Tensor
    groups: tf.Tensor


def corrected_row(group: Group, correction: int, part: int = 0) -> int:
    """Returns the row of a mass in ``CorrectedMasses.groups``.

    Args:
        group: the particles.
        correction: index of ``CORRECTIONS``.
        part: 0 or 1: which b jet a hadronic top has; for the others, which neutrino.
    """
    return (group * len(CORRECTIONS) + correction) * 2 + part


def corrected_masses(pairs: tf.Tensor) -> CorrectedMasses:
    """Computes masses under all ``CORRECTIONS`` from squared pair masses, [20, N]."""
    before = log_mass(tf.gather(pairs, [pairs_within(jets)[0] for jets in (*LIGHTS, *BOTTOMS)]))
    target = np.repeat(np.array([W, HIGGS], np.float32), len(BOTTOMS))[:, None]
    factors = tf.pad(correction(before, target), [[0, 1], [0, 0]], constant_values=1.0)
    # [term, correction]
    terms = [*zip(*(_terms(*corrected) for corrected in CORRECTIONS), strict=True)]
    first, second = (
        tf.gather(factors, [[each[factor] for each in term] for term in terms]) for factor in (0, 1)
    )
    sums = sum_rows(pairs, [part for term in terms for *_, parts in term for part in parts])
    sums = tf.reshape(sums, [len(terms), len(CORRECTIONS), 2, -1])
    scaled = tf.expand_dims(first * second, axis=2) * sums
    squares = [tf.reduce_sum(scaled[start:stop], axis=0) for start, stop in TERMS_OF_GROUP]
    groups = tf.reshape(tf.concat(squares, axis=0), [2 * len(squares) * len(CORRECTIONS), -1])
    return CorrectedMasses(before, log_mass(groups))


def _terms(choice: int, is_light: bool, is_bottom: bool) -> list[tuple[int, int, list[list[int]]]]:
    """Lists the terms of squared masses, as two factors and the sums of pairs of both parts."""
    light = _LIGHT + choice if is_light else _ONE
    bottom = _BOTTOM + choice if is_bottom else _ONE
    bottoms, lights = BOTTOMS[choice], LIGHTS[choice]
    leptons = [(LEPTON, neutrino) for neutrino in (NEUTRINO, OTHER_NEUTRINO)]
    return [
        (light, _ONE, [[*pairs_between([jet], lights)] for jet in bottoms]),
        (light, light, [pairs_within(lights)] * 2),
        (light, bottom, [pairs_between(bottoms, lights)] * 2),
        (bottom, bottom, [pairs_within(bottoms)] * 2),
        (_ONE, _ONE, [pairs_within(pair) for pair in leptons]),
        (bottom, _ONE, [pairs_between(bottoms, pair) for pair in leptons]),
        (light, _ONE, [pairs_between(lights, pair) for pair in leptons]),
    ]


def correction(log_mass: tf.Tensor, target: np.ndarray) -> tf.Tensor:
    """Returns the factor from a mass to its target, at most ``LARGEST_FACTOR`` either way.

    >>> correction(tf.math.log([40.2, 1.0]), W).numpy().round(3).tolist()
    [2.0, 2.0]

    Args:
        log_mass: ln(m / GeV), of any shape.
        target: ln(m / GeV), of a shape that fits.
    """
    factor = tf.exp(target - log_mass)
    return tf.clip_by_value(factor, 1 / LARGEST_FACTOR, LARGEST_FACTOR)


def constrained_masses(masses: CorrectedMasses) -> tf.Tensor:
    """Selects the masses by role, ln(m / GeV) in the order of ``NAMES``: float32 [13, N]."""
    rows = {
        "m_b1jj_at_W": corrected_row(Group.HADRONIC_TOP, AT_W, 0),
        "m_b2jj_at_W": corrected_row(Group.HADRONIC_TOP, AT_W, 1),
        **{
            f"{name}_at_{mass}{prime}": corrected_row(group, index, part)
            for mass, index in (("W", AT_W), ("h", AT_HIGGS), ("Wh", BY_ROLE))
            for name, group in zip(("m_jjbb", "m_lvbb", "m_all"), [*Group][1:], strict=True)
            for part, prime in enumerate(("", "'"))
        },
    }
    return tf.gather(masses.groups, [rows[name] for name in NAMES])
