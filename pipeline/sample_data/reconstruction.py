"""The 28 columns of a toy event, reconstructed from the measured quantities.

The seven masses follow Baldi, Sadowski, Whiteson 2014 (arXiv:1402.4735). The paper does not state
how jets are assigned; the assignment here is this toy's own.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.sample_data.detector import RECORDED_JETS, DetectedEvents, is_in_acceptance
from pipeline.sample_data.four_momenta import Array, mass, massless
from pipeline.sample_data.processes import TOP_MASS, W_MASS


def physical_columns(events: DetectedEvents, w_mass: Array) -> Array:
    """Computes the columns of `formats.features.FEATURES` in GeV, radians and tag levels.

    Args:
        events: N events.
        w_mass: the mass to give the leptonic W, GeV, [N].

    Returns:
        Float64 [N, 28].
    """
    px, py = events.missing
    missing = np.hypot(px, py), np.arctan2(py, px)
    jets = zip(*(part[:RECORDED_JETS] for part in (*events.jets, events.tags)), strict=True)
    low_level = [*events.lepton, *missing, *(part for jet in jets for part in jet)]
    return np.stack([*low_level, *invariant_masses(events, w_mass)], axis=1)


def invariant_masses(events: DetectedEvents, w_mass: Array) -> Array:
    """Computes the masses of `formats.features.HIGH_LEVEL`, GeV: [7, N].

    The two recorded jets of highest b-tag, the harder first among equals, are the b candidates. Of
    all other accepted jets, recorded or not, the pair closest to the W in mass is the hadronic W.
    The leptonic W is the lepton and a neutrino whose longitudinal momentum puts the pair on
    `w_mass`. Each b is assigned to one W such that both tops are closest to their mass. The charged
    Higgs takes the hadronic W.

    Args:
        events: N events.
        w_mass: the leptonic W's mass, GeV, [N].
    """
    b_indices = np.argsort(-events.tags[:RECORDED_JETS], axis=0, kind="stable")[:2]
    jets = massless(events.jets)
    hadronic = hadronic_w(jets, is_in_acceptance(events.jets), b_indices)
    leptonic = leptonic_w(massless(events.lepton), events.missing, w_mass)
    bottoms = np.take_along_axis(jets, b_indices[None], axis=1)
    higgs: Array = bottoms.sum(axis=1)
    hadronic_top, leptonic_top = _top_masses(hadronic, leptonic, bottoms)
    return np.stack(
        [
            mass(hadronic),
            hadronic_top,
            mass(leptonic),
            leptonic_top,
            mass(higgs),
            mass(higgs + hadronic),
            mass(higgs + hadronic + leptonic),
        ]
    )


def hadronic_w(jets: Array, is_usable: NDArray[np.bool_], b_indices: NDArray[np.int64]) -> Array:
    """Adds the two jets whose mass is closest to the W's: [4, N].

    Args:
        jets: four-vectors [4, J, N].
        is_usable: which of them are accepted, [J, N].
        b_indices: indices of the two b candidates, which are not used, [2, N].
    """
    is_free = is_usable.copy()
    np.put_along_axis(is_free, b_indices, values=False, axis=0)
    first, second = np.triu_indices(len(is_free), k=1)
    pairs = jets[:, first] + jets[:, second]
    distance = np.where(is_free[first] & is_free[second], np.abs(mass(pairs) - W_MASS), np.inf)
    return np.take_along_axis(pairs, distance.argmin(axis=0)[None, None], axis=1)[:, 0]


def leptonic_w(lepton: Array, missing: Array, w_mass: Array) -> Array:
    """Adds to the lepton a neutrino that puts the pair on `w_mass`: [4, N].

    Of the two solutions of the quadratic equation, the smaller longitudinal momentum is used. If
    there is none, because the transverse mass exceeds `w_mass`, the root is set to zero, and the
    pair is heavier than `w_mass`.
    """
    energy, px, py, pz = lepton
    pt_squared = px**2 + py**2
    half = w_mass**2 / 2 + px * missing[0] + py * missing[1]
    centre = half * pz / pt_squared
    missing_squared = (missing**2).sum(axis=0)
    root = np.sqrt(np.maximum(half**2 - pt_squared * missing_squared, 0)) * energy / pt_squared
    neutrino_pz = centre - np.copysign(root, centre)
    neutrino_energy = np.sqrt(missing_squared + neutrino_pz**2)
    return lepton + np.stack([neutrino_energy, *missing, neutrino_pz])


def _top_masses(hadronic: Array, leptonic: Array, bottoms: Array) -> tuple[Array, Array]:
    """Returns the masses of hadronic and leptonic top for the better assignment of the b jets."""
    hadronic_top = mass(hadronic[:, None] + bottoms)
    leptonic_top = mass(leptonic[:, None] + bottoms)[::-1]
    distance = np.abs(hadronic_top - TOP_MASS) + np.abs(leptonic_top - TOP_MASS)
    best = np.argmin(distance, axis=0)[None]
    return (
        np.take_along_axis(hadronic_top, best, axis=0)[0],
        np.take_along_axis(leptonic_top, best, axis=0)[0],
    )
