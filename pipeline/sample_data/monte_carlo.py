"""A TOY Monte Carlo of HIGGS events: a substitute, not the published sample.

It has the published columns, processes, units and symmetries, so that everything runs and can be
tested without a download: signal gg -> H0 -> W H+/-, H+/- -> W h0, h0 -> b bbar against
t tbar -> W b W b, where one W decays to lepton and neutrino and the other to two quarks (Baldi,
Sadowski, Whiteson 2014, arXiv:1402.4735). Scores reached on it say nothing about the published set.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from formats.features import FEATURES, NUM_FEATURES, physical_unit
from formats.published.record import Events
from pipeline.sample_data.detector import DetectedEvents, detect
from pipeline.sample_data.four_momenta import Array, breit_wigner
from pipeline.sample_data.processes import W_MASS, W_WIDTH, Truth, background, radiation, signal
from pipeline.sample_data.reconstruction import physical_columns

SIGNAL_FRACTION = 0.53

BLOCK = 10_000
"""Number of events generated from one random stream."""

_W_LOW, _W_HIGH = 60.0, 100.0


_SCALES = np.array([physical_unit(column) for column in FEATURES])
"""Factors from the units of `physical_columns` to the published ones."""


def generate(num_events: int, seed: int, first: int = 0) -> Iterator[Events]:
    """Generates toy events, in blocks of at most `BLOCK`.

    Block k has a random stream of its own, from `seed` and k. The events depend only on the seed,
    and those of a short run are the first events of a longer one.

    Args:
        num_events: number of events.
        seed: an integer of at least 0.
        first: number of events that are left out at the beginning.
    """
    for block in range(first // BLOCK, -(-num_events // BLOCK)):
        columns, labels = _generate_block(seed, block)
        rows = slice(max(first - block * BLOCK, 0), num_events - block * BLOCK)
        yield Events((columns * _SCALES).astype(np.float32)[rows], labels[rows])


def _generate_block(seed: int, block: int) -> tuple[Array, NDArray[np.float32]]:
    """Generates signal and background, mixed: physical columns [N, 28], and labels [N]."""
    rng = np.random.default_rng(np.random.SeedSequence((seed, block)))
    labels = rng.random(BLOCK) < SIGNAL_FRACTION
    columns = np.empty((BLOCK, NUM_FEATURES))
    columns[labels] = _draw(rng, signal, int(labels.sum()))
    columns[~labels] = _draw(rng, background, int((~labels).sum()))
    return columns, labels.astype(np.float32)


def _draw(
    rng: np.random.Generator, process: Callable[[np.random.Generator, int], Truth], count: int
) -> Array:
    """Generates events of a process until `count` are accepted: columns [count, 28]."""
    parts: list[Array] = []
    while (missing := count - sum(map(len, parts))) > 0:
        events = _detect(rng, process(rng, 2 * missing + 100))
        w_mass = breit_wigner(rng, W_MASS, W_WIDTH, _W_LOW, np.full(events.tags.shape[1], _W_HIGH))
        parts.append(physical_columns(events, w_mass))
    return np.concatenate(parts)[:count]


def _detect(rng: np.random.Generator, truth: Truth) -> DetectedEvents:
    quarks = [truth[name] for name in ("bottom", "antibottom", "quark", "antiquark")]
    radiated = radiation(rng, quarks[0].shape[1])
    jets = np.concatenate([np.stack(quarks, axis=1), radiated], axis=1)
    total = truth["system"] + radiated.sum(axis=1)
    return detect(rng, truth["lepton"], jets, total[1:3])
