"""Plausibility of the column order: each mass is compared with the event's own momenta.

A record does not name its columns, so columns in the wrong order would be read without an error.
Six of the seven masses are masses of groups of jets, lepton and neutrino, which the other columns
determine up to the assignment of jets; the seventh, of lepton and neutrino, is the W boson's, or
the transverse mass where that is larger. Jets are taken as massless. For a group of particles,

    m^2 = sum over its pairs of 2 pT_i pT_j (cosh(eta_i - eta_j) - cos(phi_i - phi_j))

Data whose masses follow other rules do not agree in any order, and are accepted: an order is
implausible only if exchanging columns makes the masses agree.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from formats.features import FEATURES, HIGH_LEVEL, JET_COLUMNS, LEPTON, MISSING_ENERGY, UNITS

SAMPLE_EVENTS = 500
"""Number of events from which an order is judged."""

MIN_EVENTS = 100
"""Minimum number of events from which an order is judged."""

PLAUSIBLE = 5.0
"""An order with at least this sum of the seven agreements is accepted without comparing others.

It is 5.26 for published events and at most 4.4 with any two columns exchanged; 5.73 and at most
4.85 for those of the toy Monte Carlo.
"""

MIN_STEP = 0.05
"""Minimum gain in this sum for which further columns are exchanged."""

TOLERANCE, W_TOLERANCE = 0.01, 0.1
"""Relative deviation within which a mass agrees; the W boson's has a width."""

_Columns = NDArray[np.float64]

_W_MASS = 80.4  # GeV
_MAX_COSH = 200.0  # Larger values would exceed the energy of any collision.
_TINY = 1e-6

_JETS = range(4)
_LEPTON, _NEUTRINO = _W = (4, 5)
_PAIRS = tuple(combinations(range(6), 2))


def _membership(groups: Iterable[tuple[int, ...]]) -> _Columns:
    """The pairs of each group: float64 [groups, 15] of 0 and 1."""
    return np.array([[float({*pair} <= {*group}) for pair in _PAIRS] for group in groups])


# Pairs, triples and all of the jets; then the leptonic W with one, two and all of them.
_JET_GROUPS = _membership(group for size in (2, 3, 4) for group in combinations(_JETS, size))
_W_GROUPS = _membership((*group, *_W) for size in (1, 2, 4) for group in combinations(_JETS, size))
_ROWS = (
    slice(0, 6),
    slice(6, 10),
    None,
    [*range(11, 15), *range(22, 26)],
    slice(0, 6),
    [10, *range(15, 21), *range(26, 32)],
    [21, 32],
)
"""The candidate groups of each mass, among those of the jets and those of both neutrinos."""

_UNITS = np.array([[UNITS.get(name, 1.0)] for name in FEATURES])

_POSITIVE = (LEPTON[0], MISSING_ENERGY[0], *JET_COLUMNS[::4], *HIGH_LEVEL)
_ANGLES = (*LEPTON[1:], MISSING_ENERGY[1], *JET_COLUMNS[1::4], *JET_COLUMNS[2::4])
_EXCHANGES = [
    (FEATURES.index(first), FEATURES.index(second))
    for group in (_POSITIVE, _ANGLES)
    for first, second in combinations(group, 2)
]
"""Pairs of columns that could be exchanged unnoticed; the schema's domains detect all others."""


class OrderProblem(NamedTuple):
    """Why the order of the columns is implausible.

    Attributes:
        reason: as the predicate of a sentence.
        remedy: what to do about it.
    """

    reason: str
    remedy: str


def find_order_problem(features: NDArray[np.float32]) -> OrderProblem | None:
    """Finds out whether the columns are in another order than the published one.

    Args:
        features: float32 [N, 28]; the first ``SAMPLE_EVENTS`` are judged.

    Returns:
        None if the order is plausible, if no other one explains the masses, if there are fewer
        than ``MIN_EVENTS`` events, or if a momentum or mass is negative, which the schema forbids.
    """
    # A signaling NaN would cause a warning.
    with np.errstate(invalid="ignore"):
        sample = features[:SAMPLE_EVENTS].astype(np.float64)
    is_negative = (sample[:, [FEATURES.index(name) for name in _POSITIVE]] < 0).any()
    if len(sample) < MIN_EVENTS or is_negative:
        return None
    before = agreement(sample)
    if before >= PLAUSIBLE:
        return None
    exchanges, after = _best_exchanges(sample, before)
    if after - before < min_gain(len(sample)):
        return None
    pairs = ", ".join(f"{FEATURES[i]} with {FEATURES[j]}" for i, j in exchanges)
    return OrderProblem(
        "does not have its columns in the published order: the masses agree with the momenta in "
        f"{before / len(HIGH_LEVEL):.0%} of the cases, and in {after / len(HIGH_LEVEL):.0%} after "
        f"exchanging {pairs}",
        f"Write the columns in this order: {', '.join(FEATURES)}.",
    )


def agreement(features: _Columns) -> float:
    """Adds up the shares of events in which each mass agrees with the momenta: 0 to 7.

    Args:
        features: float64 [N, 28], published units.
    """
    with np.errstate(all="ignore"):  # The columns may be in any order.
        return float(sum(is_near.mean() for is_near in _agreeing(features)))


def min_gain(events: int) -> float:
    """Gain in the sum of agreements that shows that another order is right.

    Exchanging two columns of published events loses at least 0.87. Masses that have nothing to do
    with the momenta gain, by chance, up to 0.4 in samples of 100 events and 0.2 in 500.

    >>> min_gain(100)
    0.55
    """
    return float(0.25 + 3 / np.sqrt(events))


def _best_exchanges(features: _Columns, score: float) -> tuple[list[tuple[int, int]], float]:
    """Repeatedly exchanges the pair of columns that gains most, while the gain is noticeable."""
    features, exchanges = features.copy(), []
    for _ in FEATURES:
        scores = [agreement(_exchanged(features, pair)) for pair in _EXCHANGES]
        best = int(np.argmax(scores))
        if scores[best] - score < MIN_STEP:
            break
        features, score = _exchanged(features, _EXCHANGES[best]), scores[best]
        exchanges.append(_EXCHANGES[best])
    return exchanges, score


def _exchanged(features: _Columns, pair: tuple[int, int]) -> _Columns:
    order = np.arange(features.shape[1])
    order[list(pair)] = pair[::-1]
    return features[:, order]


def _agreeing(features: _Columns) -> Iterator[NDArray[np.bool_]]:
    """Yields for each mass, in the order of ``HIGH_LEVEL``, where it agrees: bool [N]."""
    columns = dict(zip(FEATURES, features.T * _UNITS, strict=True))
    masses = {name: np.log(np.maximum(columns[name], _TINY)) for name in HIGH_LEVEL}
    pt, phi, eta_plus, eta_minus = _particles(columns)
    plus, minus = (_squared_pair_masses(pt, eta, phi) for eta in (eta_plus, eta_minus))
    squares = np.concatenate([_JET_GROUPS @ plus, _W_GROUPS @ plus, _W_GROUPS @ minus])
    groups = np.log(np.maximum(squares, _TINY)) / 2
    transverse = 2 * pt[_LEPTON] * pt[_NEUTRINO] * (1 - np.cos(phi[_LEPTON] - phi[_NEUTRINO]))
    leptonic_w = np.log(np.maximum(transverse, _W_MASS**2)) / 2
    for name, rows in zip(HIGH_LEVEL, _ROWS, strict=True):
        if rows is None:
            yield np.abs(masses[name] - leptonic_w) < W_TOLERANCE
        else:
            yield np.abs(masses[name] - groups[rows]).min(axis=0) < TOLERANCE


def _particles(columns: dict[str, _Columns]) -> tuple[_Columns, ...]:
    """Returns pt, phi and two eta, each [6, N]: for both neutrinos that give the mass of the W."""
    pt = np.stack([columns[name] for name in (*JET_COLUMNS[::4], LEPTON[0], MISSING_ENERGY[0])])
    phi = np.stack([columns[name] for name in (*JET_COLUMNS[2::4], LEPTON[2], MISSING_ENERGY[1])])
    eta = [columns[name] for name in (*JET_COLUMNS[1::4], LEPTON[1])]
    scale = 2 * pt[_LEPTON] * pt[_NEUTRINO]
    cosh = columns[HIGH_LEVEL[2]] ** 2 / scale + np.cos(phi[_LEPTON] - phi[_NEUTRINO])
    distance = np.arccosh(np.clip(cosh, 1.0, _MAX_COSH))
    plus, minus = (np.stack([*eta, eta[_LEPTON] + offset]) for offset in (distance, -distance))
    return pt, phi, plus, minus


def _squared_pair_masses(pt: _Columns, eta: _Columns, phi: _Columns) -> _Columns:
    """Computes the squared masses of all pairs of particles, GeV^2: [15, N]."""
    first, second = np.array(_PAIRS).T
    angles = np.cosh(eta[first] - eta[second]) - np.cos(phi[first] - phi[second])
    return 2 * pt[first] * pt[second] * angles
