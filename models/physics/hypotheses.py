"""Hypotheses: how well an event fits each process, over all assignments of its jets.

The processes are top pairs, t tbar -> (b W)(b W), and signal, H0 -> W H+-, H+- -> W h0,
h0 -> b bbar. The score of an assignment is the exponent of a Gaussian in the logarithms of the
masses that it implies, plus the log likelihood of the b-tags; the light jets are first corrected to
the W and, for signal, the b jets to the Higgs. The score of an event is the logarithm of the sum
over assignments and both neutrinos, as in the matrix element method (Kondo 1988,
doi:10.1143/JPSJ.57.4126). Widths and tag likelihoods are rounded by hand; the network learns how to
weight the scores.
"""

from itertools import product

import numpy as np
import tensorflow as tf

from models.physics.constraints import (
    BOTTOMS,
    CORRECTIONS,
    LIGHTS,
    CorrectedMasses,
    Group,
    corrected_row,
)
from models.physics.kinematics import LEPTON, NEUTRINO, OTHER_NEUTRINO, log_masses, sum_rows
from models.physics.resonances import CHARGED_HIGGS, HEAVY_HIGGS, HIGGS, TOP, W

LIGHT_WIDTH, BOTTOM_WIDTH = 0.12, 0.1
HADRONIC_TOP_WIDTH, LEPTONIC_TOP_WIDTH = 0.08, 0.12
CORRECTED_WIDTH = 0.035
"""Widths of ln m, as measured by the detector."""

BOTTOM_TAGS, LIGHT_TAGS = (-1.3, -1.1, -0.7), (-0.15, -1.9, -2.6)
"""Log likelihood of the b-tag levels 0, 1, 2 for a b jet and for a light jet."""

NEGLIGIBLE = -80.0
"""Lower limit of an exponent. It does not change a float32 sum of at least 1; the exponentials of
lower ones may be denormal, and those take ten times as long in ONNX Runtime."""

NAMES = tuple(
    f"fit_{name}{suffix}" for suffix in ("", "_tagged") for name in ("top_pair", "signal", "ratio")
)

ASSIGNMENTS = tuple(product(range(len(BOTTOMS)), (0, 1), (0, 1)))
"""A choice of the b jets; which of the two is that of the hadronic top, and for signal, whether the
W of the charged Higgs is that of the light jets or that of the leptons; and a neutrino."""

LEPTONIC_TOPS = tuple(
    (jet, LEPTON, neutrino) for jet in range(4) for neutrino in (NEUTRINO, OTHER_NEUTRINO)
)

_EXPECTED = (
    *[(W, LIGHT_WIDTH)] * len(LIGHTS),
    *[(HIGGS, BOTTOM_WIDTH)] * len(BOTTOMS),
    *[(TOP, LEPTONIC_TOP_WIDTH)] * len(LEPTONIC_TOPS),
    *[(TOP, HADRONIC_TOP_WIDTH)] * 2 * len(CORRECTIONS),
    *[(CHARGED_HIGGS, CORRECTED_WIDTH)] * 4 * len(CORRECTIONS),
    *[(HEAVY_HIGGS, CORRECTED_WIDTH)] * 2 * len(CORRECTIONS),
)
"""Expectation and width of each mass: of the pairs, the leptonic tops and the corrected groups."""


def hypothesis_scores(pairs: tf.Tensor, masses: CorrectedMasses, tags: tf.Tensor) -> tf.Tensor:
    """Computes the scores of both processes and their differences, without and with b-tags.

    Args:
        pairs: squared pair masses, [20, N].
        masses: the same under corrections.
        tags: b-tag levels, [4, N].

    Returns:
        In the order of ``NAMES``, float32 [6, N]; asinh shortens their tails.
    """
    rows = tf.concat([masses.pairs, log_masses(pairs, LEPTONIC_TOPS), masses.groups], axis=0)
    expected, width = np.array(_EXPECTED, np.float32).T[..., None]
    penalties = sum_rows(tf.square((rows - expected) / (width * np.float32(2**0.5))), _MASSES)
    # [without and with b-tags, each for both processes; assignment; N]
    penalties = tf.reshape(penalties, [2, len(ASSIGNMENTS), -1])
    scores = tf.concat([-penalties, _tag_scores(tags) - penalties], axis=0)
    largest = tf.reduce_max(scores, axis=1, keepdims=True)
    total = tf.reduce_sum(tf.exp(tf.maximum(scores - largest, NEGLIGIBLE)), axis=1)
    fits = tf.math.log(total) + tf.squeeze(largest, 1)
    ratios = tf.gather(fits, [1, 3]) - tf.gather(fits, [0, 2])
    return tf.asinh(tf.gather(tf.concat([fits, ratios], axis=0), [0, 1, 4, 2, 3, 5]))


def _masses_of(choice: int, part: int, neutrino: int) -> tuple[list[int], list[int]]:
    """Lists the masses that an assignment implies, as rows: for top pairs and for signal."""
    light, bottom = choice, len(LIGHTS) + choice
    tops = len(LIGHTS) + len(BOTTOMS)
    groups = tops + len(LEPTONIC_TOPS)
    leptonic = tops + LEPTONIC_TOPS.index(
        (BOTTOMS[choice][1 - part], LEPTON, (NEUTRINO, OTHER_NEUTRINO)[neutrino])
    )
    hadronic = groups + corrected_row(Group.HADRONIC_TOP, choice, part)
    boson = (Group.JETS, Group.BOTTOMS_AND_LEPTONS)[part]
    charged = groups + corrected_row(boson, choice, neutrino)
    heavy = groups + corrected_row(Group.ALL, choice, neutrino)
    return [light, hadronic, leptonic], [light, bottom, heavy, charged]


_MASSES = [
    masses
    for process in zip(*(_masses_of(*each) for each in ASSIGNMENTS), strict=True)
    for masses in process
]


def _tag_scores(tags: tf.Tensor) -> tf.Tensor:
    """Computes the log likelihood of the b-tags for each assignment, [24, N]."""
    level = tf.round(tags)
    none, loose, tight = np.array([BOTTOM_TAGS, LIGHT_TAGS], np.float32).T[..., None, None]
    scores = tf.where(level < 0.5, none, tf.where(level < 1.5, loose, tight))
    groups = [[*BOTTOMS[c], *(4 + jet for jet in LIGHTS[c])] for c, *_ in ASSIGNMENTS]
    return sum_rows(tf.reshape(scores, [8, -1]), groups)
