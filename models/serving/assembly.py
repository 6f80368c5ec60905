"""The model that serves: from published features to the probability of signal.

It is put together on the host after the training: the columns' layer, the network, and the wide
part's crossed columns. The logit is a linear model of the two parts' logits,

    logit = bias + a network(columns) + b leaves(columns),

fitted on the validation events: both parts are good, and wrong on different events, and neither
knows how sure of itself it may be on events that it did not learn from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize
import scipy.special
import tensorflow as tf
import tf_keras

from formats.features import NUM_FEATURES
from models.event_table import Array, Events
from models.input_columns import column_layer
from models.layers.tree_leaves import Leaves
from models.network import LOGITS, OUTPUT, Preparation, build_network
from models.training.boosted_trees import Forest
from models.training.sizing import SizedHyperparameters

PRIOR_EVENTS = 100

GRADIENT = 1e-8
"""An event's share of the gradient of the blend's loss that passes for none."""

EVENTS = 16_384
"""Events scored at a time."""


def on_host(
    network: tf_keras.Model, hyperparameters: SizedHyperparameters, preparation: Preparation
) -> tf_keras.Model:
    """A float32 copy of a network, wherever and however precisely it was trained, on this host."""
    with tf.device("CPU"):
        copy = build_network(hyperparameters, preparation)
        copy.set_weights(network.get_weights())
    return copy


@dataclass(frozen=True)
class Blend:
    """What the parts' logits are multiplied by, and what is added to their sum."""

    network: float
    leaves: float
    bias: float


def fit_blend(network_logits: Array, leaves_logits: Array, labels: Array) -> Blend:
    """Fits the blend by logistic regression, with a prior of equal shares.

    The prior weighs like ``PRIOR_EVENTS`` events: few validation events change little.

    Args:
      network_logits: of the validation events, [N, 1].
      leaves_logits: of the same.
      labels: 1 signal, 0 background, [N, 1].
    """
    prior = np.array([0.5, 0.5, 0.0])
    inputs = np.hstack([network_logits, leaves_logits, np.ones_like(labels)]).astype(np.float64)
    signs = 1 - 2 * labels[:, 0].astype(np.float64)

    def loss(weights: Array) -> float:
        away = PRIOR_EVENTS / 2 * np.sum((weights - prior) ** 2)
        return float(np.logaddexp(0, signs * (inputs @ weights)).sum() + away)

    def slope(weights: Array) -> Array:
        chance = scipy.special.expit(inputs @ weights)
        return inputs.T @ (chance - labels[:, 0]) + PRIOR_EVENTS * (weights - prior)

    def curvature(weights: Array) -> Array:
        chance = scipy.special.expit(inputs @ weights)
        return (inputs.T * (chance * (1 - chance))) @ inputs + PRIOR_EVENTS * np.eye(3)

    # In a region of trust: Newton's whole steps go astray where a part is far too sure of itself.
    found = scipy.optimize.minimize(
        loss, prior, jac=slope, hess=curvature, method="trust-exact", tol=GRADIENT * len(labels)
    )
    return Blend(*found.x)


def outputs_of(layer: Any, columns: Array) -> Array:
    """What a layer or model makes of many events' columns, [N, 1], some at a time, on the host."""
    score = tf.function(layer, autograph=False, reduce_retracing=True)
    with tf.device("CPU"):
        parts = [
            score(tf.constant(columns[start : start + EVENTS])).numpy()
            for start in range(0, len(columns), EVENTS)
        ]
    return np.concatenate(parts)


def assemble(
    network: tf_keras.Model, forest: Forest | None, evaluation: Events, *, derived: bool
) -> tuple[tf_keras.Model, Blend | None]:
    """Puts the serving model together.

    Args:
      network: on the host.
      forest: the boosted trees, or None for a model that is the network alone.
      evaluation: validation events, with columns as features.
      derived: whether the columns are derived ones.

    Returns:
      A model from published features float32 [N, 28] to probabilities float32 [N, 1], and how the
      parts were blended.
    """
    with tf.device("CPU"):
        features = tf_keras.Input([NUM_FEATURES], name="features")
        columns = column_layer(derived=derived)(features)
        to_logits = tf_keras.Model(network.input, network.get_layer(LOGITS).output, name="network")
        logits, blend = to_logits(columns), None
        if forest is not None:
            leaves = Leaves(forest, name="leaves")
            blend = fit_blend(
                outputs_of(to_logits, evaluation.features),
                outputs_of(leaves, evaluation.features),
                evaluation.labels,
            )
            logits = Blended(blend, name="blend")([logits, leaves(columns)])
        probability = tf_keras.layers.Activation("sigmoid", name=OUTPUT)(logits)
        return tf_keras.Model(features, probability, name="serving"), blend


class Blended(tf_keras.layers.Layer):
    """A linear model of two logits."""

    def __init__(self, blend: Blend, **options: Any):
        super().__init__(**options)
        self._blend = blend

    def call(self, logits: Sequence[tf.Tensor]) -> tf.Tensor:
        """Of the network's and the leaves', float32 [N, 1] each."""
        network, leaves = logits
        blend = self._blend
        return blend.bias + blend.network * network + blend.leaves * leaves
