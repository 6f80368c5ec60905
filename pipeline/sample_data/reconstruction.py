"""The 28 columns of a toy event, worked out from what the detector saw.

The seven masses follow Baldi, Sadowski, Whiteson 2014 (arXiv:1402.4735); the assignments of
jets, which the paper leaves open, are this toy's own.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.sample_data.detector import RECORDED, Measured, in_reach
from pipeline.sample_data.four_momenta import Array, mass, massless
from pipeline.sample_data.processes import TOP_MASS, W_MASS


def natural_columns(seen: Measured, w_mass: Array) -> Array:
    """The columns in the order of `formats.features.FEATURES`, in GeV, radians and tag levels.

    Args:
        seen: N measured events.
        w_mass: the mass to give the leptonic W, GeV, [N].

    Returns:
        Float64 [N, 28].
    """
    missing = np.hypot(*seen.missing), np.arctan2(seen.missing[1], seen.missing[0])
    jets = zip(*(part[:RECORDED] for part in (*seen.jets, seen.tags)), strict=True)
    columns = [*seen.lepton, *missing, *(part for jet in jets for part in jet)]
    return np.stack([*columns, *invariant_masses(seen, w_mass)], axis=1)


def invariant_masses(seen: Measured, w_mass: Array) -> Array:
    """m_jj, m_jjj, m_lv, m_jlv, m_bb, m_wbb and m_wwbb, GeV: [7, N].

    The two recorded jets of highest b-tag, the harder first among equals, are the b candidates.
    Of all other jets in reach, recorded or not, the two nearest the W in mass are the hadronic W
    (m_jj). The neutrino's longitudinal momentum puts it and the lepton on `w_mass` (m_lv). Each b
    goes to one W so that both tops are nearest their mass (m_jjj, m_jlv). m_wbb takes the hadronic
    W.

    Args:
        seen: N measured events.
        w_mass: the leptonic W's mass, GeV, [N].
    """
    bottoms = np.argsort(-seen.tags[:RECORDED], axis=0, kind="stable")[:2]
    jets = massless(seen.jets)
    hadronic = hadronic_w(jets, in_reach(seen.jets), bottoms)
    leptonic = leptonic_w(massless(seen.lepton), seen.missing, w_mass)
    chosen = np.take_along_axis(jets, bottoms[None], axis=1)
    pair: Array = chosen.sum(axis=1)
    m_jjj, m_jlv = _tops(hadronic, leptonic, chosen)
    return np.stack(
        [
            mass(hadronic),
            m_jjj,
            mass(leptonic),
            m_jlv,
            mass(pair),
            mass(pair + hadronic),
            mass(pair + hadronic + leptonic),
        ]
    )


def hadronic_w(jets: Array, usable: NDArray[np.bool_], bottoms: NDArray[np.int64]) -> Array:
    """The two jets nearest the W in mass, together, [4, N].

    Args:
        jets: four-vectors [4, J, N].
        usable: which of them are seen, [J, N].
        bottoms: the places of two that are taken, [2, N].
    """
    free = usable.copy()
    np.put_along_axis(free, bottoms, values=False, axis=0)
    first, second = np.triu_indices(len(free), k=1)
    pairs = jets[:, first] + jets[:, second]
    distance = np.where(free[first] & free[second], np.abs(mass(pairs) - W_MASS), np.inf)
    return np.take_along_axis(pairs, distance.argmin(axis=0)[None, None], axis=1)[:, 0]


def leptonic_w(lepton: Array, missing: Array, w_mass: Array) -> Array:
    """Lepton plus neutrino, [4, N], with the pair on `w_mass`.

    Of the two solutions of the quadratic equation the smaller longitudinal momentum is taken.
    Where there is none, because the transverse mass exceeds `w_mass`, the root is left out, and
    the pair is heavier than `w_mass`.
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


def _tops(hadronic: Array, leptonic: Array, bottoms: Array) -> tuple[Array, Array]:
    """Masses of hadronic and leptonic top, for the better of the two ways to share the b jets."""
    m_jjj = mass(hadronic[:, None] + bottoms)
    m_jlv = mass(leptonic[:, None] + bottoms)[::-1]
    better = np.argmin(np.abs(m_jjj - TOP_MASS) + np.abs(m_jlv - TOP_MASS), axis=0)[None]
    return _pick(m_jjj, better), _pick(m_jlv, better)


def _pick(values: Array, which: NDArray[np.int64]) -> Array:
    return np.take_along_axis(values, which, axis=0)[0]
