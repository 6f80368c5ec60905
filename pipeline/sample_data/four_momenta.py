"""Relativistic kinematics on arrays: four-vectors, resonance masses and two-body decays.

A four-vector is a float64 array [4, ...] of (E, px, py, pz) in GeV, with c = 1. Formulas are
those of the Review of Particle Physics, "Kinematics" (Particle Data Group 2022, section 49).
"""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[np.float64]

_TINY = 1e-9  # GeV; keeps divisions by a transverse momentum finite.


class Cylindrical(NamedTuple):
    """Momenta in the coordinates of a detector, arrays of equal shape.

    Attributes:
        pt: transverse momentum, GeV.
        eta: pseudorapidity.
        phi: azimuth, radians in [-pi, pi].
    """

    pt: Array
    eta: Array
    phi: Array


def mass(p: Array) -> Array:
    """Returns the invariant mass, GeV: the root of E^2 - |p|^2, or 0 if rounding makes it negative.

    >>> float(mass(np.array([5.0, 0.0, 3.0, 0.0])))
    4.0
    """
    return np.sqrt(np.maximum(p[0] ** 2 - p[1] ** 2 - p[2] ** 2 - p[3] ** 2, 0.0))


def cylindrical(p: Array) -> Cylindrical:
    """Converts to transverse momentum, pseudorapidity asinh(pz / pt) and azimuth; all 0 at rest."""
    pt = np.hypot(p[1], p[2])
    return Cylindrical(pt, np.arcsinh(p[3] / np.maximum(pt, _TINY)), np.arctan2(p[2], p[1]))


def massless(momenta: Cylindrical) -> Array:
    """Returns the four-vectors of massless particles, whose rapidity is the pseudorapidity."""
    return four_vectors(0.0, momenta.pt, momenta.phi, momenta.eta)


def four_vectors(mass: ArrayLike, pt: Array, phi: Array, rapidity: Array) -> Array:
    """Returns the four-vectors of particles with the given masses, momenta and directions."""
    transverse_mass = np.hypot(mass, pt)
    return np.stack(
        [
            transverse_mass * np.cosh(rapidity),
            pt * np.cos(phi),
            pt * np.sin(phi),
            transverse_mass * np.sinh(rapidity),
        ]
    )


def breit_wigner(
    rng: np.random.Generator, peak: float, width: float, low: ArrayLike, high: Array
) -> Array:
    """Draws masses from a non-relativistic Breit-Wigner distribution truncated at `low` and `high`.

    The truncation keeps every later decay allowed. The distribution function is inverted,
    m = peak + width / 2 tan(u) with u uniform, so that each draw yields one mass.
    """
    first, last = (np.arctan2(np.asarray(edge) - peak, width / 2) for edge in (low, high))
    return peak + width / 2 * np.tan(first + (last - first) * rng.random(high.shape))


def decay(
    rng: np.random.Generator, parent: Array, mass_1: ArrayLike, mass_2: ArrayLike
) -> tuple[Array, Array]:
    """Decays each parent into two daughters, isotropically in its rest frame.

    Args:
        rng: random generator of the directions.
        parent: four-vectors [4, N].
        mass_1: mass of the first daughter, GeV, a number or [N].
        mass_2: mass of the second. Their sum must not exceed the parent's mass.

    Returns:
        The daughters' four-vectors in the frame of `parent`, [4, N] each. They sum to `parent`.
    """
    m, m1, m2 = mass(parent), np.asarray(mass_1), np.asarray(mass_2)
    momentum = np.sqrt(np.maximum((m**2 - (m1 + m2) ** 2) * (m**2 - (m1 - m2) ** 2), 0)) / (2 * m)
    cosine = rng.uniform(-1, 1, m.shape)
    azimuth = rng.uniform(-np.pi, np.pi, m.shape)
    transverse = momentum * np.sqrt(1 - cosine**2)
    at_rest = np.stack(
        [
            np.sqrt(momentum**2 + m1**2),
            transverse * np.cos(azimuth),
            transverse * np.sin(azimuth),
            momentum * cosine,
        ]
    )
    first = boost(at_rest, parent, m)
    return first, parent - first


def boost(p: Array, frame: Array, frame_mass: Array) -> Array:
    """Boosts `p` from the rest frame of `frame` to the frame in which `frame` is given."""
    energy = (frame[0] * p[0] + (frame[1:] * p[1:]).sum(axis=0)) / frame_mass
    along = (p[0] + energy) / (frame_mass + frame[0])
    return np.concatenate([energy[None], p[1:] + frame[1:] * along])
