"""Masses under constraints: the light jets have the mass of a W, the b jets that of a Higgs.

The energy of a jet is known to about 15 %, the masses of W and Higgs far better. The momenta of the
light jets are therefore scaled until their mass is that of a W, those of the b jets until it is
that of a Higgs, and the masses of larger groups are computed again. Their peaks are narrower if the
hypothesis is right.

A squared pair mass is proportional to both momenta. The squared mass of a group is therefore a
polynomial in the two factors, whose coefficients are sums of pairs.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

from models.physics.jet_roles import B1, B2, J1, J2
from models.physics.kinematics import (
    LEPTON,
    NEUTRINO,
    log_mass,
    ordered_sum,
    pairs_between,
    pairs_within,
    sum_rows,
)
from models.physics.resonances import HIGGS, W

LARGEST_FACTOR = 2.0
"""Largest correction of a momentum; pairs of jets that need more do not come from a W or Higgs."""

LEPTONS = (LEPTON, NEUTRINO)

NAMES = (
    *("m_b1jj_at_W", "m_b2jj_at_W", "m_jjbb_at_W", "m_all_at_W"),
    *("m_jjbb_at_h", "m_lvbb_at_h", "m_all_at_h"),
    *("m_jjbb_at_Wh", "m_all_at_Wh"),
    *("m_all_at_W'", "m_lvbb_at_h'", "m_all_at_h'", "m_all_at_Wh'"),
)
"""Masses with the light jets at the W, the b jets at the Higgs, both; a prime marks the other
neutrino."""

Group = tuple[int, ...]


class PairSums(NamedTuple):
    """Sums of squared pair masses for several choices of the b and the light jets, GeV^2.

    Attributes:
        light: the pair of the light jets, [choices, 1, N].
        bottom: the pair of the b jets, [choices, 1, N].
        light_with: the light jets with each of the b jets, [choices, 2, N].
        mixed: the light jets with both b jets, [choices, 1, N].
        light_leptons: the light jets with the leptons, for both neutrinos, [choices, 2, N].
        bottom_leptons: the b jets with the leptons, for both neutrinos, [choices, 2, N].
        leptons: the pair of the leptons, for both neutrinos, [1, 2, N].
    """

    light: tf.Tensor
    bottom: tf.Tensor
    light_with: tf.Tensor
    mixed: tf.Tensor
    light_leptons: tf.Tensor
    bottom_leptons: tf.Tensor
    leptons: tf.Tensor

    def squares(self, light: tf.Tensor, bottom: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Computes squared masses after a scaling of the momenta of the jets.

        Args:
            light: factor of the light jets, [choices or factors, 1, N].
            bottom: factor of the b jets, of the same shape.

        Returns:
            Of all jets, [..., 1, N]; of b jets and leptons, and of all particles, [..., 2, N].
        """
        own_light, own_bottom = light**2 * self.light, bottom**2 * self.bottom
        jets = ordered_sum([own_light, own_bottom, light * bottom * self.mixed])
        bottom_leptons = bottom * self.bottom_leptons
        with_leptons = ordered_sum([own_bottom, self.leptons, bottom_leptons])
        total = ordered_sum([jets, self.leptons, bottom_leptons, light * self.light_leptons])
        return jets, with_leptons, total


def sum_pairs(pairs: tf.Tensor, bottoms: Sequence[Group], lights: Sequence[Group]) -> PairSums:
    """Sums the squared pair masses of both neutrinos, [15, 2, N], for choices of jets."""
    single, choices = pairs[:, 0], [*zip(bottoms, lights, strict=True)]
    light_with = sum_rows(single, [pairs_between([b], j) for pair, j in choices for b in pair])
    light_with = tf.reshape(light_with, [len(choices), 2, tf.shape(single)[1]])
    return PairSums(
        light=sum_rows(single, [pairs_within(j) for j in lights])[:, None],
        bottom=sum_rows(single, [pairs_within(b) for b in bottoms])[:, None],
        light_with=light_with,
        mixed=tf.reduce_sum(light_with, axis=1, keepdims=True),
        light_leptons=sum_rows(pairs, [pairs_between(j, LEPTONS) for j in lights]),
        bottom_leptons=sum_rows(pairs, [pairs_between(b, LEPTONS) for b in bottoms]),
        leptons=sum_rows(pairs, [pairs_within(LEPTONS)]),
    )


def correction(log_mass: tf.Tensor, target: float) -> tf.Tensor:
    """Returns the factor from a mass to its target, at most ``LARGEST_FACTOR`` either way.

    >>> correction(tf.math.log([40.2, 1.0]), W).numpy().round(3).tolist()
    [2.0, 2.0]

    Args:
        log_mass: ln(m / GeV), of any shape.
        target: ln(m / GeV).
    """
    factor = tf.exp(target - log_mass)
    return tf.clip_by_value(factor, 1 / LARGEST_FACTOR, LARGEST_FACTOR)


def constrained_masses(pairs: tf.Tensor) -> tf.Tensor:
    """Computes ln(m / GeV) in the order of ``NAMES``, float32 [13, N].

    Args:
        pairs: squared pair masses of the particles by role, with each neutrino, [15, 2, N].
    """
    sums = sum_pairs(pairs, [(B1, B2)], [(J1, J2)])
    to_w = correction(log_mass(sums.light), W)
    to_higgs = correction(log_mass(sums.bottom), HIGGS)
    one = tf.ones_like(to_w)
    # At the W, at the Higgs, at both.
    light, bottom = tf.concat([to_w, one, to_w], 0), tf.concat([one, to_higgs, to_higgs], 0)
    tops = to_w**2 * sums.light + to_w * sums.light_with
    jets, with_leptons, total = sums.squares(light, bottom)
    squares = {
        **_rows(tops[0], "m_b1jj_at_W", "m_b2jj_at_W"),
        **_rows(jets[:, 0], "m_jjbb_at_W", "m_jjbb_at_h", "m_jjbb_at_Wh"),
        **_rows(with_leptons[1], "m_lvbb_at_h", "m_lvbb_at_h'"),
        **_rows(total[:, 0], "m_all_at_W", "m_all_at_h", "m_all_at_Wh"),
        **_rows(total[:, 1], "m_all_at_W'", "m_all_at_h'", "m_all_at_Wh'"),
    }
    return log_mass(tf.stack([squares[name] for name in NAMES]))


def _rows(values: tf.Tensor, *names: str) -> Mapping[str, tf.Tensor]:
    return dict(zip(names, tf.unstack(values), strict=True))
