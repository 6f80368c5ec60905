"""A TOY Monte Carlo of HIGGS events: a stand-in, not the published sample.

It has the published columns, process, units and symmetries, so that everything runs and can
be tested without a download: signal gg -> H0 -> W H+/-, H+/- -> W h0, h0 -> b bbar against
t tbar -> W b W b, one W going to lepton and neutrino and the other to two quarks (Baldi,
Sadowski, Whiteson 2014, arXiv:1402.4735). Scores reached on it say nothing about the
published set.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from formats.features import DISCRETE_VALUES, FEATURES, NUM_FEATURES, UNITS
from formats.published.record import Events
from pipeline.sample_data.detector import Measured, measure
from pipeline.sample_data.four_momenta import Array, breit_wigner
from pipeline.sample_data.processes import W_MASS, W_WIDTH, Truth, background, radiation, signal
from pipeline.sample_data.reconstruction import natural_columns

SIGNAL_FRACTION = 0.53

BLOCK = 10_000
"""Events made from one random stream."""

_W_LOW, _W_HIGH = 60.0, 100.0


def _scale(column: str) -> float:
    """What turns a column of `natural_columns` into published units."""
    return DISCRETE_VALUES[column][1] if column in DISCRETE_VALUES else 1 / UNITS[column]


_SCALES = np.array([_scale(column) for column in FEATURES])


def generate(num_events: int, seed: int) -> Iterator[Events]:
    """Makes toy events, in blocks of at most `BLOCK`.

    Block k has a random stream of its own, from `seed` and k. So the events depend on the seed
    alone, and those of a short run are the first of a longer one.

    Args:
        num_events: how many to make.
        seed: any whole number from 0.
    """
    for block, start in enumerate(range(0, num_events, BLOCK)):
        events = make_block(seed, block)
        left = num_events - start
        yield Events(events.features[:left], events.labels[:left])


def make_block(seed: int, block: int) -> Events:
    """The `BLOCK` events of one random stream, signal and background mixed."""
    columns, labels = natural_block(seed, block)
    return Events((columns * _SCALES).astype(np.float32), labels)


def natural_block(seed: int, block: int) -> tuple[Array, NDArray[np.float32]]:
    """A block before scaling: columns in GeV, radians and tag levels, [N, 28], and labels [N]."""
    rng = np.random.default_rng(np.random.SeedSequence((seed, block)))
    labels = rng.random(BLOCK) < SIGNAL_FRACTION
    columns = np.empty((BLOCK, NUM_FEATURES))
    columns[labels] = _draw(rng, signal, int(labels.sum()))
    columns[~labels] = _draw(rng, background, int((~labels).sum()))
    return columns, labels.astype(np.float32)


def _draw(
    rng: np.random.Generator, process: Callable[[np.random.Generator, int], Truth], count: int
) -> Array:
    """Draws events of a process until the detector has accepted `count`: columns [count, 28]."""
    parts: list[Array] = []
    while (missing := count - sum(map(len, parts))) > 0:
        seen = _observe(rng, process(rng, 2 * missing + 100))
        w_mass = breit_wigner(rng, W_MASS, W_WIDTH, _W_LOW, np.full(seen.tags.shape[1], _W_HIGH))
        parts.append(natural_columns(seen, w_mass))
    return np.concatenate(parts)[:count]


def _observe(rng: np.random.Generator, truth: Truth) -> Measured:
    quarks = [truth[name] for name in ("bottom", "antibottom", "quark", "antiquark")]
    jets = np.concatenate([np.stack(quarks, axis=1), radiation(rng, quarks[0].shape[1])], axis=1)
    balance = truth["system"] + jets[:, 4:].sum(axis=1)
    return measure(rng, truth["lepton"], jets, balance[1:3])
