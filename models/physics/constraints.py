"""Masses after the jets are corrected by what they should weigh together.

A jet's energy is known to some 15 %, the W's and the Higgs' mass to far less. So the light jets are
scaled until they weigh as much as a W and the b jets as much as a Higgs, and what they are part of
is weighed again: its peak is narrower where the hypothesis is right.
"""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from models.physics.jet_roles import B1, B2, J1, J2
from models.physics.kinematics import (
    ALL,
    LEPTON,
    NEUTRINO,
    log_masses,
    membership,
    scale_momenta,
)
from models.physics.resonances import HIGGS, W

LARGEST_FACTOR = 2.0
"""No jet was measured worse than this; what would need more is no W or Higgs."""

JJBB = (B1, B2, J1, J2)
LVBB = (B1, B2, LEPTON, NEUTRINO)

AT_W = {"b1jj": (B1, J1, J2), "b2jj": (B2, J1, J2), "jjbb": JJBB, "all": ALL}
AT_HIGGS = {"jjbb": JJBB, "lvbb": LVBB, "all": ALL}
AT_BOTH = {"jjbb": JJBB, "all": ALL}
"""What is weighed with the light jets at the W, the b jets at the Higgs, and both."""

Columns = Mapping[str, tf.Tensor]


def correction(log_mass: tf.Tensor, target: float) -> tf.Tensor:
    """What takes a mass to its target, within reason: both as ln(m / GeV), of any shape."""
    factor = tf.exp(target - log_mass)
    return tf.clip_by_value(factor, 1 / LARGEST_FACTOR, LARGEST_FACTOR)


def constrained_columns(pairs: tf.Tensor, other_pairs: tf.Tensor) -> Columns:
    """ln(m / GeV) by name, float32 [N] each; primed where the other neutrino is in it.

    Args:
      pairs: squared pair masses of the particles by role, with the chosen neutrino, [N, 15].
      other_pairs: the same with the other neutrino.
    """
    columns: dict[str, tf.Tensor] = {}
    for prime, squares in (("", pairs), ("'", other_pairs)):
        w, higgs, both = _corrected(squares)
        for at, corrected, groups in (
            ("W", w, AT_W),
            ("h", higgs, AT_HIGGS),
            ("Wh", both, AT_BOTH),
        ):
            wanted = {n: g for n, g in groups.items() if not prime or NEUTRINO in g}
            values = tf.unstack(log_masses(corrected, [*wanted.values()]), axis=1)
            names = (f"m_{name}_at_{at}{prime}" for name in wanted)
            columns |= dict(zip(names, values, strict=True))
    return columns


def _corrected(pairs: tf.Tensor) -> Sequence[tf.Tensor]:
    light, bottom = (J1, J2), (B1, B2)
    of_light, of_bottom = membership([light, bottom])
    masses = log_masses(pairs, [light, bottom])
    to_w, to_higgs = correction(masses[:, 0], W), correction(masses[:, 1], HIGGS)
    w = scale_momenta(pairs, of_light, to_w)
    return w, scale_momenta(pairs, of_bottom, to_higgs), scale_momenta(w, of_bottom, to_higgs)
