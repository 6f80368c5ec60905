"""The toy's detector: what it measures of an event's partons, and what is worked out from that.

A TOY: Gaussian smearing and constant b-tag rates stand in for a detector simulation.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.sample_data.four_momenta import Array, Cylindrical, cylindrical

MIN_PT = 20.0
"""Softest lepton or jet accepted, GeV."""

MAX_ETA = 2.5
"""Largest absolute pseudorapidity accepted."""

MIN_SEPARATION = 0.5
"""Jets nearer than this in eta and phi would be seen as one."""

RECORDED = 4
"""Jets recorded of an event, the hardest."""

MAX_TAGGED = 2
"""Most jets with a b-tag that an event may have, as in the published set."""

# Chances of no, a loose and a tight b-tag. Those of b jets give the published set's counts.
_TAG_CHANCES_BOTTOM = (0.05, 0.17, 0.78)
_TAG_CHANCES_LIGHT = (0.97, 0.02, 0.01)

_JET_STOCHASTIC, _JET_CONSTANT = 1.4, 0.13
_LEPTON_RESOLUTION = 0.02
_ANGLE_RESOLUTION = 0.04
_SOFT_RESOLUTION = 10.0


class Measured(NamedTuple):
    """What the detector saw of N events.

    Attributes:
        lepton: the charged lepton, arrays [N].
        missing: missing transverse momentum (px, py), GeV, [2, N].
        jets: jets by falling transverse momentum, arrays [J, N]; the first four are recorded.
        tags: each jet's b-tag, 0 none, 1 loose, 2 tight, int8 [J, N].
    """

    lepton: Cylindrical
    missing: Array
    jets: Cylindrical
    tags: NDArray[np.int8]


def measure(rng: np.random.Generator, lepton: Array, jets: Array, total: Array) -> Measured:
    """Smears the visible partons, tags the jets, and drops the events that are not accepted.

    Args:
        rng: the source of the smearing.
        lepton: four-vectors [4, N].
        jets: four-vectors [4, J, N] of the two bottom quarks, then of light quarks and gluons.
            One without momentum is not there.
        total: transverse momentum (px, py) of everything, neutrino included, [2, N].
    """
    seen_lepton = _smear(rng, lepton, np.full(lepton.shape[1:], _LEPTON_RESOLUTION), 0.001)
    jet_pt = np.maximum(np.hypot(jets[1], jets[2]), 1.0)
    resolution = np.hypot(_JET_STOCHASTIC / np.sqrt(jet_pt), _JET_CONSTANT)
    seen_jets = _smear(rng, jets, resolution, _ANGLE_RESOLUTION)
    visible = _transverse(seen_lepton) + _transverse(seen_jets).sum(axis=1)
    soft = rng.normal(0, _SOFT_RESOLUTION, total.shape)
    order = np.argsort(-seen_jets.pt, axis=0)
    seen = Measured(
        seen_lepton,
        total - visible + soft,
        Cylindrical(*(np.take_along_axis(part, order, axis=0) for part in seen_jets)),
        np.take_along_axis(_tag(rng, jets.shape[1:]), order, axis=0),
    )
    return _select(seen, _accepted(seen))


def _smear(rng: np.random.Generator, p: Array, resolution: Array, angle: float) -> Cylindrical:
    """Gaussian errors: relative on the momentum, never below a tenth of it, and on the angles."""
    pt, eta, phi = cylindrical(p)
    shift = rng.standard_normal((3, *pt.shape))
    return Cylindrical(
        pt * np.maximum(1 + resolution * shift[0], 0.1),
        eta + angle * shift[1],
        _turn(phi + angle * shift[2]),
    )


def _transverse(seen: Cylindrical) -> Array:
    return np.stack([seen.pt * np.cos(seen.phi), seen.pt * np.sin(seen.phi)])


def _tag(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Tags of J jets an event, the first two from bottom quarks: int8 [J, N]."""
    chances = [_TAG_CHANCES_BOTTOM] * 2 + [_TAG_CHANCES_LIGHT] * (shape[0] - 2)
    none, loose, _ = np.cumsum(chances, axis=1).T[:, :, None]
    draw = rng.random(shape)
    return (draw > none).astype(np.int8) + (draw > loose)


def _accepted(seen: Measured) -> NDArray[np.bool_]:
    """Which events have lepton and recorded jets in reach, and few enough tags: bool [N]."""
    return (
        (seen.lepton.pt > MIN_PT)
        & (np.abs(seen.lepton.eta) < MAX_ETA)
        & in_reach(seen.jets)[:RECORDED].all(axis=0)
        & (_closest(seen.jets) > MIN_SEPARATION)
        & ((seen.tags[:RECORDED] > 0).sum(axis=0) <= MAX_TAGGED)
    )


def in_reach(jets: Cylindrical) -> NDArray[np.bool_]:
    """Which jets are hard and central enough to be seen, of the shape of the jets."""
    seen: NDArray[np.bool_] = (jets.pt > MIN_PT) & (np.abs(jets.eta) < MAX_ETA)
    return seen


def _closest(jets: Cylindrical) -> Array:
    """The least distance of two recorded jets, the root of d_eta^2 + d_phi^2: [N]."""
    first, second = np.triu_indices(RECORDED, k=1)
    return np.hypot(
        jets.eta[first] - jets.eta[second], _turn(jets.phi[first] - jets.phi[second])
    ).min(axis=0)


def _turn(angle: Array) -> Array:
    """The same angle in [-pi, pi)."""
    return np.remainder(angle + np.pi, 2 * np.pi) - np.pi


def _select(seen: Measured, chosen: NDArray[np.bool_]) -> Measured:
    return Measured(
        Cylindrical(*(part[chosen] for part in seen.lepton)),
        seen.missing[:, chosen],
        Cylindrical(*(part[:, chosen] for part in seen.jets)),
        seen.tags[:, chosen],
    )
