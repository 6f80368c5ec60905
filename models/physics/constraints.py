"""Masses under constraints: the light jets have the mass of a W, the b jets that of a Higgs.

The energy of a jet is known to about 15 %, the masses of W and Higgs far better. The momenta of the
light jets are therefore scaled until their mass is that of a W, those of the b jets until it is
that of a Higgs, and the masses of larger groups are computed again. Their peaks are narrower if the
hypothesis is right.
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
"""Largest correction of a momentum; pairs of jets that need more do not come from a W or Higgs."""

JJBB = (B1, B2, J1, J2)
LVBB = (B1, B2, LEPTON, NEUTRINO)

AT_W = {"b1jj": (B1, J1, J2), "b2jj": (B2, J1, J2), "jjbb": JJBB, "all": ALL}
AT_HIGGS = {"jjbb": JJBB, "lvbb": LVBB, "all": ALL}
AT_BOTH = {"jjbb": JJBB, "all": ALL}
"""Groups whose masses are computed with the light jets at the W, the b jets at the Higgs, both."""

Columns = Mapping[str, tf.Tensor]


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


def constrained_columns(pairs: tf.Tensor, other_pairs: tf.Tensor) -> Columns:
    """Computes ln(m / GeV) by name, float32 [N] each; a prime marks the other neutrino.

    Args:
        pairs: squared pair masses of the particles by role, with the chosen neutrino, [N, 15].
        other_pairs: the same with the other neutrino.
    """
    columns: dict[str, tf.Tensor] = {}
    for prime, squares in (("", pairs), ("'", other_pairs)):
        w, higgs, both = _corrected(squares)
        for constraint, corrected, groups in (
            ("W", w, AT_W),
            ("h", higgs, AT_HIGGS),
            ("Wh", both, AT_BOTH),
        ):
            groups = {n: g for n, g in groups.items() if not prime or NEUTRINO in g}
            values = tf.unstack(log_masses(corrected, [*groups.values()]), axis=1)
            names = (f"m_{name}_at_{constraint}{prime}" for name in groups)
            columns |= dict(zip(names, values, strict=True))
    return columns


def _corrected(pairs: tf.Tensor) -> Sequence[tf.Tensor]:
    """Returns the pair masses at the W, at the Higgs, and at both."""
    light, bottom = (J1, J2), (B1, B2)
    light_members, bottom_members = membership([light, bottom])
    masses = log_masses(pairs, [light, bottom])
    to_w, to_higgs = correction(masses[:, 0], W), correction(masses[:, 1], HIGGS)
    at_w = scale_momenta(pairs, light_members, to_w)
    at_higgs = scale_momenta(pairs, bottom_members, to_higgs)
    return at_w, at_higgs, scale_momenta(at_w, bottom_members, to_higgs)
