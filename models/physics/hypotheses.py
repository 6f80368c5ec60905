"""Hypotheses: how well an event fits each process, over all assignments of its jets.

The processes are top pairs, t tbar -> (b W)(b W), and signal, H0 -> W H+-, H+- -> W h0,
h0 -> b bbar. The score of an assignment is the exponent of a Gaussian in the logarithms of the
masses that it implies, plus the log likelihood of the b-tags; the light jets are first corrected to
the W and, for signal, the b jets to the Higgs. The score of an event is the logarithm of the sum
over assignments and both neutrinos, as in the matrix element method (Kondo 1988,
doi:10.1143/JPSJ.57.4126). Widths and tag likelihoods are rounded by hand: the network learns what
the scores are worth.
"""

from itertools import combinations

import tensorflow as tf

from models.physics.constraints import LEPTONS, correction, sum_pairs
from models.physics.kinematics import log_mass, ordered_sum, pairs_between, sum_rows
from models.physics.resonances import CHARGED_HIGGS, HEAVY_HIGGS, HIGGS, TOP, W

LIGHT_WIDTH, BOTTOM_WIDTH = 0.12, 0.1
HADRONIC_TOP_WIDTH, LEPTONIC_TOP_WIDTH = 0.08, 0.12
CORRECTED_WIDTH = 0.035
"""Widths of ln m, as measured by the detector."""

BOTTOM_TAGS, LIGHT_TAGS = (-1.3, -1.1, -0.7), (-0.15, -1.9, -2.6)
"""Log likelihood of the b-tag levels 0, 1, 2 for a b jet and for a light jet."""

NAMES = tuple(
    f"fit_{name}{suffix}" for suffix in ("", "_tagged") for name in ("top_pair", "signal", "ratio")
)

BOTTOMS = tuple(combinations(range(4), 2))
"""The choices of the two b jets."""

LIGHTS = tuple(tuple(jet for jet in range(4) if jet not in pair) for pair in BOTTOMS)
"""The two light jets of each choice."""


def hypothesis_scores(pairs: tf.Tensor, tags: tf.Tensor) -> tf.Tensor:
    """Computes the scores of both processes and their differences, without and with b-tags.

    Args:
        pairs: squared pair masses with each neutrino, [15, 2, N].
        tags: b-tag levels, [4, N].

    Returns:
        In the order of ``NAMES``, float32 [6, N]; asinh shortens their tails.
    """
    tag_scores = _tag_scores(tags)
    # [tags, process, choice of b jets, assignment, neutrino, N]
    tag_scores = tf.stack([tf.zeros_like(tag_scores), tag_scores])[:, None, :, None, None]
    scores = tf.reduce_logsumexp(_assignment_scores(pairs) + tag_scores, axis=[2, 3, 4])
    top_pair, signal = scores[:, 0], scores[:, 1]
    columns = tf.stack([top_pair, signal, signal - top_pair], axis=1)
    return tf.asinh(tf.reshape(columns, [len(NAMES), tf.shape(tags)[1]]))


def _assignment_scores(pairs: tf.Tensor) -> tf.Tensor:
    """Scores each assignment of the jets: [process, 6 choices of b jets, 2, 2 neutrinos, N].

    The third dimension is the b jet of the hadronic top, and for signal the W of the charged Higgs:
    that of the light jets or that of the leptons.
    """
    sums = sum_pairs(pairs, BOTTOMS, LIGHTS)
    log_light, log_bottom = log_mass(sums.light), log_mass(sums.bottom)
    to_w, to_higgs = correction(log_light, W), correction(log_bottom, HIGGS)
    light = _exponent(log_light, W, LIGHT_WIDTH)[:, :, None]
    bottom = _exponent(log_bottom, HIGGS, BOTTOM_WIDTH)[:, :, None]

    hadronic = log_mass(to_w**2 * sums.light + to_w * sums.light_with)
    hadronic = _exponent(hadronic, TOP, HADRONIC_TOP_WIDTH)[:, :, None]
    leptonic = _exponent(log_mass(_leptonic_tops(pairs)), TOP, LEPTONIC_TOP_WIDTH)

    jets, with_leptons, total = map(log_mass, sums.squares(to_w, to_higgs))
    charged = tf.stack([tf.broadcast_to(jets, tf.shape(with_leptons)), with_leptons], axis=1)
    charged = _exponent(charged, CHARGED_HIGGS, CORRECTED_WIDTH)
    heavy = _exponent(total, HEAVY_HIGGS, CORRECTED_WIDTH)[:, None]
    return tf.stack(
        [
            ordered_sum([light, hadronic, leptonic]),
            ordered_sum([light, bottom, heavy, charged]),
        ]
    )


def _leptonic_tops(pairs: tf.Tensor) -> tf.Tensor:
    """Computes the squared masses of leptons and the b jet that is not the hadronic top's.

    Returns:
        [6 choices of b jets, 2, 2 neutrinos, N].
    """
    (leptons,) = pairs_between(LEPTONS[:1], LEPTONS[1:])
    tops = sum_rows(pairs, [[*pairs_between([jet], LEPTONS), leptons] for jet in range(4)])
    return tf.gather(tops, [pair[::-1] for pair in BOTTOMS])


def _exponent(log_mass: tf.Tensor, expected: float, width: float) -> tf.Tensor:
    return -0.5 * ((log_mass - expected) / width) ** 2


def _tag_scores(tags: tf.Tensor) -> tf.Tensor:
    """Computes the log likelihood of the b-tags for each choice of b jets, [6, N]."""
    level = tf.round(tags)
    bottom, light = (
        tf.where(level < 0.5, table[0], tf.where(level < 1.5, table[1], table[2]))
        for table in (BOTTOM_TAGS, LIGHT_TAGS)
    )
    both = tf.concat([bottom, light], axis=0)
    groups = zip(BOTTOMS, LIGHTS, strict=True)
    return sum_rows(both, [[*pair, *(4 + jet for jet in others)] for pair, others in groups])
