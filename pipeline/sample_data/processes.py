"""The two processes of the toy Monte Carlo: production and decay chains.

A TOY: all decays are isotropic two-body decays, and the production is only of the right scale.
"""

from typing import TypeAlias

import numpy as np

from pipeline.sample_data.four_momenta import (
    Array,
    Cylindrical,
    breit_wigner,
    decay,
    four_vectors,
    massless,
)

Truth: TypeAlias = dict[str, Array]
"""Four-vectors [4, N] by particle. Both processes have ``system`` (the whole hard event),
``w_leptonic``, ``w_hadronic``, ``lepton``, ``neutrino``, ``quark``, ``antiquark``, ``bottom``
and ``antibottom``."""

HEAVY_HIGGS_MASS, HEAVY_HIGGS_WIDTH = 425.0, 5.0
CHARGED_HIGGS_MASS, CHARGED_HIGGS_WIDTH = 325.0, 4.0
HIGGS_MASS, HIGGS_WIDTH = 125.0, 0.004
TOP_MASS, TOP_WIDTH = 173.0, 1.5
W_MASS, W_WIDTH = 80.4, 2.1
BOTTOM_MASS = 4.7

# Masses are truncated this far from the peak, so that every decay is allowed.
_CUT = 20.0
_RAPIDITY_STD = 1.0
_MEAN_PT = 20.0
# The pair's mass above threshold follows a gamma distribution, with a mean of 130 GeV.
_TOP_PAIR_SHAPE, _TOP_PAIR_SCALE = 2.0, 65.0

_RADIATED_JETS = 2
_RADIATION_CHANCE = 0.7
_RADIATION_PT = 35.0
_RADIATION_MAX_ETA = 3.0


def signal(rng: np.random.Generator, count: int) -> Truth:
    """Generates H0 -> W-/+ H+/-, H+/- -> W+/- h0, h0 -> b bbar."""
    heavy_mass = _resonance(rng, HEAVY_HIGGS_MASS, HEAVY_HIGGS_WIDTH, count)
    charged_mass = _resonance(rng, CHARGED_HIGGS_MASS, CHARGED_HIGGS_WIDTH, count)
    light_mass = _resonance(rng, HIGGS_MASS, HIGGS_WIDTH, count)
    available = np.minimum(heavy_mass - charged_mass, W_MASS + _CUT)
    first_mass = breit_wigner(rng, W_MASS, W_WIDTH, W_MASS - _CUT, available)
    second_mass = _resonance(rng, W_MASS, W_WIDTH, count)

    heavy = _produce(rng, heavy_mass)
    first_w, charged = decay(rng, heavy, first_mass, charged_mass)
    second_w, light = decay(rng, charged, second_mass, light_mass)
    bottom, antibottom = decay(rng, light, BOTTOM_MASS, BOTTOM_MASS)
    swap = rng.random(count) < 0.5
    return {
        "system": heavy,
        "charged_higgs": charged,
        "higgs": light,
        "first_w": first_w,
        "second_w": second_w,
        "bottom": bottom,
        "antibottom": antibottom,
        **_w_decays(rng, np.where(swap, first_w, second_w), np.where(swap, second_w, first_w)),
    }


def background(rng: np.random.Generator, count: int) -> Truth:
    """Generates t tbar -> W b W bbar."""
    top_mass, antitop_mass = (_resonance(rng, TOP_MASS, TOP_WIDTH, count) for _ in range(2))
    w_masses = [_resonance(rng, W_MASS, W_WIDTH, count) for _ in range(2)]
    excess = rng.gamma(_TOP_PAIR_SHAPE, _TOP_PAIR_SCALE, count)

    pair = _produce(rng, top_mass + antitop_mass + excess)
    top, antitop = decay(rng, pair, top_mass, antitop_mass)
    leptonic, bottom = decay(rng, top, w_masses[0], BOTTOM_MASS)
    hadronic, antibottom = decay(rng, antitop, w_masses[1], BOTTOM_MASS)
    return {
        "system": pair,
        "top": top,
        "antitop": antitop,
        "bottom": bottom,
        "antibottom": antibottom,
        **_w_decays(rng, leptonic, hadronic),
    }


def _resonance(rng: np.random.Generator, peak: float, width: float, count: int) -> Array:
    return breit_wigner(rng, peak, width, peak - _CUT, np.full(count, peak + _CUT))


def _produce(rng: np.random.Generator, masses: Array) -> Array:
    """Produces systems boosted along the beam, with little transverse momentum."""
    pt = rng.exponential(_MEAN_PT, masses.shape)
    phi = rng.uniform(-np.pi, np.pi, masses.shape)
    return four_vectors(masses, pt, phi, rng.normal(0, _RAPIDITY_STD, masses.shape))


def radiation(rng: np.random.Generator, count: int) -> Array:
    """Generates jets radiated before the collision, [4, 2, count]; absent jets have no momentum.

    They make the assignment of jets ambiguous: a hard one displaces a jet of the decays.
    """
    shape = _RADIATED_JETS, count
    pt = rng.exponential(_RADIATION_PT, shape) * (rng.random(shape) < _RADIATION_CHANCE)
    eta = rng.uniform(-_RADIATION_MAX_ETA, _RADIATION_MAX_ETA, shape)
    return massless(Cylindrical(pt, eta, rng.uniform(-np.pi, np.pi, shape)))


def _w_decays(rng: np.random.Generator, leptonic: Array, hadronic: Array) -> Truth:
    lepton, neutrino = decay(rng, leptonic, 0.0, 0.0)
    quark, antiquark = decay(rng, hadronic, 0.0, 0.0)
    return {
        "w_leptonic": leptonic,
        "w_hadronic": hadronic,
        "lepton": lepton,
        "neutrino": neutrino,
        "quark": quark,
        "antiquark": antiquark,
    }
