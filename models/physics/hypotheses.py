"""Hypotheses: how well an event fits each process, over all assignments of its jets.

The processes are top pairs, t tbar -> (b W)(b W), and signal, H0 -> W H+-, H+- -> W h0,
h0 -> b bbar. The score of an assignment is the exponent of a Gaussian in the logarithms of the
masses that it implies, plus the log likelihood of the b-tags; the light jets are first corrected to
the W and, for signal, the b jets to the Higgs. The score of an event is the logarithm of the sum
over assignments and both neutrinos, as in the matrix element method (Kondo 1988,
doi:10.1143/JPSJ.57.4126). Widths and tag likelihoods are rounded by hand: the network learns what
the scores are worth.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
import tensorflow as tf

from models.physics.constraints import correction
from models.physics.kinematics import (
    ALL,
    LEPTON,
    NEUTRINO,
    log_masses_of,
    membership,
    ordered_sum,
    scale_momenta,
)
from models.physics.resonances import CHARGED_HIGGS, HEAVY_HIGGS, HIGGS, TOP, W

LIGHT_WIDTH, BOTTOM_WIDTH = 0.12, 0.1
HADRONIC_TOP_WIDTH, LEPTONIC_TOP_WIDTH = 0.08, 0.12
CORRECTED_WIDTH = 0.035
"""Widths of ln m, as measured by the detector."""

BOTTOM_TAGS, LIGHT_TAGS = (-1.3, -1.1, -0.7), (-0.15, -1.9, -2.6)
"""Log likelihood of the b-tag levels 0, 1, 2 for a b jet and for a light jet."""

LEPTONIC = (LEPTON, NEUTRINO)

BOTTOMS = tuple(combinations(range(4), 2))
"""The choices of the two b jets."""

LIGHTS = tuple(tuple(jet for jet in range(4) if jet not in pair) for pair in BOTTOMS)
"""The two light jets of each choice."""

Group = tuple[int, ...]


def hypothesis_columns(
    pairs: tf.Tensor, other_pairs: tf.Tensor, tags: tf.Tensor
) -> Mapping[str, tf.Tensor]:
    """Computes the scores of both processes and their differences, without and with b-tags.

    Args:
        pairs: squared pair masses with the chosen neutrino, [N, 15].
        other_pairs: the same with the other neutrino.
        tags: b-tag levels, [N, 4].

    Returns:
        Six columns by name, float32 [N] each; asinh shortens their tails.
    """
    top_pair = [_top_pair_scores(squares[:, None]) for squares in (pairs, other_pairs)]
    signal = [_signal_scores(squares[:, None]) for squares in (pairs, other_pairs)]
    columns: dict[str, tf.Tensor] = {}
    untagged, tagged = tf.zeros([1, 1, 1]), _tag_scores(tags)[..., None]
    for suffix, tag_scores in (("", untagged), ("_tagged", tagged)):
        top_pair_score, signal_score = _log_sum(top_pair, tag_scores), _log_sum(signal, tag_scores)
        columns[f"fit_top_pair{suffix}"] = tf.asinh(top_pair_score)
        columns[f"fit_signal{suffix}"] = tf.asinh(signal_score)
        columns[f"fit_ratio{suffix}"] = tf.asinh(signal_score - top_pair_score)
    return columns


def _top_pair_scores(pairs: tf.Tensor) -> tf.Tensor:
    """Scores the assignments: [N, 6 choices of b jets, 2 choices of the hadronic top's b jet].

    Args:
        pairs: squared pair masses, [N, 1, 15].
    """
    light, at_w = _light_at_w(pairs)
    hadronic = log_masses_of(at_w, _each_choice(lambda b, light: [(jet, *light) for jet in b]))
    leptonic = log_masses_of(
        pairs, _each_choice(lambda b, _: [(jet, *LEPTONIC) for jet in b[::-1]])
    )
    return ordered_sum(
        [
            _exponent(light, W, LIGHT_WIDTH),
            _exponent(hadronic, TOP, HADRONIC_TOP_WIDTH),
            _exponent(leptonic, TOP, LEPTONIC_TOP_WIDTH),
        ]
    )


def _signal_scores(pairs: tf.Tensor) -> tf.Tensor:
    """Scores the assignments: [N, 6 choices of b jets, 2 choices of the charged Higgs' W].

    Args:
        pairs: squared pair masses, [N, 1, 15].
    """
    light, at_w = _light_at_w(pairs)
    bottom = log_masses_of(pairs, _each_choice(lambda b, _: [b]))
    corrected = scale_momenta(at_w, membership(BOTTOMS), correction(bottom[..., 0], HIGGS))
    charged = _each_choice(lambda b, light: [(*b, *light), (*b, *LEPTONIC)])
    heavy = log_masses_of(corrected, membership([ALL]))
    return ordered_sum(
        [
            _exponent(light, W, LIGHT_WIDTH),
            _exponent(bottom, HIGGS, BOTTOM_WIDTH),
            _exponent(heavy, HEAVY_HIGGS, CORRECTED_WIDTH),
            _exponent(log_masses_of(corrected, charged), CHARGED_HIGGS, CORRECTED_WIDTH),
        ]
    )


def _light_at_w(pairs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns ln m of the light jets, [N, 6, 1], and the pair masses at the W, [N, 6, 15]."""
    light = log_masses_of(pairs, _each_choice(lambda _, light: [light]))
    return light, scale_momenta(pairs, membership(LIGHTS), correction(light[..., 0], W))


def _each_choice(groups: Callable[[Group, Group], list[Group]]) -> np.ndarray:
    """Returns ``membership`` of the groups of each choice of b and light jets: [6, groups, 15]."""
    return np.stack([membership(groups(*jets)) for jets in zip(BOTTOMS, LIGHTS, strict=True)])


def _exponent(log_mass: tf.Tensor, expected: float, width: float) -> tf.Tensor:
    return -0.5 * ((log_mass - expected) / width) ** 2


def _tag_scores(tags: tf.Tensor) -> tf.Tensor:
    """Computes the log likelihood of the b-tags for each choice of b jets, [N, 6]."""
    one_hot = tf.one_hot(tf.cast(tf.round(tags), tf.int32), len(BOTTOM_TAGS))
    bottom, light = (tf.reduce_sum(one_hot * table, axis=2) for table in (BOTTOM_TAGS, LIGHT_TAGS))
    is_bottom = np.array([[jet in pair for jet in range(4)] for pair in BOTTOMS])
    return tf.reduce_sum(tf.where(is_bottom, bottom[:, None], light[:, None]), axis=2)


def _log_sum(scores: Sequence[tf.Tensor], tag_scores: tf.Tensor) -> tf.Tensor:
    """Computes the logarithm of the sum over the assignments of both neutrinos, [N]."""
    return tf.reduce_logsumexp(tf.stack(scores, axis=1) + tag_scores[:, None], axis=[1, 2, 3])
