"""Reference kinematics in NumPy and double precision, from four-vectors."""

import numpy as np

from models.physics.kinematics import NEUTRINO, OTHER_NEUTRINO, Particles


def momenta(particles: Particles, *, other=False):
    """(E, px, py, pz) of jets, lepton and the first or the other neutrino, float64 [N, 6, 4]."""
    rows = [*range(NEUTRINO), OTHER_NEUTRINO if other else NEUTRINO]
    pt, eta, phi = (np.asarray(part, np.float64)[rows].T for part in particles[:3])
    return np.stack([pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], -1)


def invariant_mass(p):
    """The mass of four-vectors summed over all axes but the first and last."""
    total = p.sum(axis=tuple(range(1, p.ndim - 1)))
    return np.sqrt(np.maximum(total[:, 0] ** 2 - (total[:, 1:] ** 2).sum(axis=1), 0))
