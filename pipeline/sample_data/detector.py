"""The toy detector: smearing, b-tags and acceptance.

A TOY: Gaussian smearing and constant b-tag rates stand in for a detector simulation.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.sample_data.four_momenta import Array, Cylindrical, cylindrical

MIN_PT = 20.0
"""Minimum transverse momentum of accepted leptons and jets, GeV."""

MAX_ETA = 2.5
"""Maximum absolute pseudorapidity of accepted leptons and jets."""

MIN_SEPARATION = 0.5
"""Minimum distance of two jets in eta and phi; closer ones would be merged."""

RECORDED_JETS = 4
"""Number of jets recorded per event, the hardest ones."""

MAX_TAGGED_JETS = 2
"""Maximum number of b-tagged jets per event, as in the published set."""

# Probabilities of no, a loose and a tight b-tag; for b jets they give the published frequencies.
_TAG_PROBABILITIES_BOTTOM = (0.05, 0.17, 0.78)
_TAG_PROBABILITIES_LIGHT = (0.97, 0.02, 0.01)

_JET_STOCHASTIC, _JET_CONSTANT = 1.4, 0.13
_LEPTON_RESOLUTION = 0.02
_ANGLE_RESOLUTION = 0.04
_SOFT_RESOLUTION = 10.0


class DetectedEvents(NamedTuple):
    """The measured quantities of N events.

    Attributes:
        lepton: the charged lepton, arrays [N].
        missing: missing transverse momentum (px, py), GeV, [2, N].
        jets: jets by decreasing transverse momentum, arrays [J, N]; the first four are recorded.
        tags: each jet's b-tag, 0 none, 1 loose, 2 tight, int8 [J, N].
    """

    lepton: Cylindrical
    missing: Array
    jets: Cylindrical
    tags: NDArray[np.int8]


def detect(rng: np.random.Generator, lepton: Array, jets: Array, total: Array) -> DetectedEvents:
    """Smears the visible partons, tags the jets, and drops the events that are not accepted.

    Args:
        rng: random generator of the smearing.
        lepton: four-vectors [4, N].
        jets: four-vectors [4, J, N] of the two bottom quarks, then of light quarks and gluons.
            A jet without momentum is absent.
        total: transverse momentum (px, py) of everything, neutrino included, [2, N].
    """
    measured_lepton = _smear(rng, lepton, np.full(lepton.shape[1:], _LEPTON_RESOLUTION), 0.001)
    jet_pt = np.maximum(np.hypot(jets[1], jets[2]), 1.0)
    resolution = np.hypot(_JET_STOCHASTIC / np.sqrt(jet_pt), _JET_CONSTANT)
    measured_jets = _smear(rng, jets, resolution, _ANGLE_RESOLUTION)
    visible = _transverse(measured_lepton) + _transverse(measured_jets).sum(axis=1)
    soft = rng.normal(0, _SOFT_RESOLUTION, total.shape)
    order = np.argsort(-measured_jets.pt, axis=0)
    detected = DetectedEvents(
        measured_lepton,
        total - visible + soft,
        Cylindrical(*(np.take_along_axis(part, order, axis=0) for part in measured_jets)),
        np.take_along_axis(_tag(rng, jets.shape[1:]), order, axis=0),
    )
    return _select(detected, _is_accepted(detected))


def _smear(rng: np.random.Generator, p: Array, resolution: Array, angle: float) -> Cylindrical:
    """Adds Gaussian errors to momentum and angles; a tenth of the momentum is the minimum."""
    pt, eta, phi = cylindrical(p)
    shift = rng.standard_normal((3, *pt.shape))
    return Cylindrical(
        pt * np.maximum(1 + resolution * shift[0], 0.1),
        eta + angle * shift[1],
        _wrap(phi + angle * shift[2]),
    )


def _transverse(momenta: Cylindrical) -> Array:
    return np.stack([momenta.pt * np.cos(momenta.phi), momenta.pt * np.sin(momenta.phi)])


def _tag(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Draws the tags of J jets per event, the first two from bottom quarks: int8 [J, N]."""
    probabilities = [_TAG_PROBABILITIES_BOTTOM] * 2 + [_TAG_PROBABILITIES_LIGHT] * (shape[0] - 2)
    none, loose, _ = np.cumsum(probabilities, axis=1).T[:, :, None]
    draw = rng.random(shape)
    return (draw > none).astype(np.int8) + (draw > loose)


def _is_accepted(events: DetectedEvents) -> NDArray[np.bool_]:
    """Returns which events have lepton and recorded jets in the acceptance, and few enough tags."""
    return (
        is_in_acceptance(events.lepton)
        & is_in_acceptance(events.jets)[:RECORDED_JETS].all(axis=0)
        & (_min_separation(events.jets) > MIN_SEPARATION)
        & ((events.tags[:RECORDED_JETS] > 0).sum(axis=0) <= MAX_TAGGED_JETS)
    )


def is_in_acceptance(momenta: Cylindrical) -> NDArray[np.bool_]:
    """Returns which particles are hard and central enough, in the shape of the momenta."""
    in_acceptance: NDArray[np.bool_] = (momenta.pt > MIN_PT) & (np.abs(momenta.eta) < MAX_ETA)
    return in_acceptance


def _min_separation(jets: Cylindrical) -> Array:
    """Returns the minimum distance of two recorded jets, the root of d_eta^2 + d_phi^2: [N]."""
    first, second = np.triu_indices(RECORDED_JETS, k=1)
    return np.hypot(
        jets.eta[first] - jets.eta[second], _wrap(jets.phi[first] - jets.phi[second])
    ).min(axis=0)


def _wrap(angle: Array) -> Array:
    """Wraps an angle to [-pi, pi)."""
    return np.remainder(angle + np.pi, 2 * np.pi) - np.pi


def _select(events: DetectedEvents, rows: NDArray[np.bool_]) -> DetectedEvents:
    return DetectedEvents(
        Cylindrical(*(part[rows] for part in events.lepton)),
        events.missing[:, rows],
        Cylindrical(*(part[:, rows] for part in events.jets)),
        events.tags[:, rows],
    )
