"""Assembly of the model: from published features to the probability of signal.

The model is put together on the host after the training, from the layer of the columns, the
network and the forest. Its logit is a linear function of the two logits,

    logit = bias + a network(columns) + b forest(columns),

fitted on validation events, which neither has been trained on at that time; a refit keeps the
fitted weights. Network and forest err on different events, and both are overconfident on events
that they did not learn from, by different amounts.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.optimize
import scipy.special
import tensorflow as tf
import tf_keras

from formats.features import NUM_FEATURES
from formats.names import SIGNAL_PROBABILITY
from formats.training_record import BlendRecord
from models.event_table import Array, EventTable, apply_in_chunks
from models.layers.forest_layer import ForestLayer
from models.network import LOGITS, ColumnStatistics, build_network
from models.physics.input_columns import column_layer
from models.training.boosted_trees import Forest
from models.training.training_plan import SizedHyperparameters

PRIOR_EVENTS = 100
"""Weight of the prior of equal shares, in events."""

GRADIENT_TOLERANCE = 1e-8
"""Convergence tolerance of the gradient of the loss, per event."""


def copy_to_host(
    network: tf_keras.Model, hyperparameters: SizedHyperparameters, statistics: ColumnStatistics
) -> tf_keras.Model:
    """Copies a network in float32 to this host, from any device and precision."""
    with tf.device("CPU"):
        copy = build_network(hyperparameters, statistics)
        copy.set_weights(network.get_weights())
    return copy


def fit_blend(network_logits: Array, forest_logits: Array, labels: Array) -> BlendRecord:
    """Fits the blend by logistic regression, with a prior of equal shares.

    The prior has the weight of ``PRIOR_EVENTS`` events, which limits the influence of few
    validation events.

    Args:
        network_logits: the network's logits of the validation events, [N, 1].
        forest_logits: the forest's logits of the same events, [N, 1].
        labels: 1 for signal, 0 for background, [N, 1].
    """
    prior = np.array([0.5, 0.5, 0.0])
    inputs = np.hstack([network_logits, forest_logits, np.ones_like(labels)]).astype(np.float64)
    signs = 1 - 2 * labels[:, 0].astype(np.float64)

    def loss(weights: Array) -> float:
        penalty = PRIOR_EVENTS / 2 * np.sum((weights - prior) ** 2)
        return float(np.logaddexp(0, signs * (inputs @ weights)).sum() + penalty)

    def gradient(weights: Array) -> Array:
        probability = scipy.special.expit(inputs @ weights)
        return inputs.T @ (probability - labels[:, 0]) + PRIOR_EVENTS * (weights - prior)

    def hessian(weights: Array) -> Array:
        probability = scipy.special.expit(inputs @ weights)
        curvature = probability * (1 - probability)
        return (inputs.T * curvature) @ inputs + PRIOR_EVENTS * np.eye(3)

    # Newton's method without a trust region diverges if one of the two is far too confident.
    minimum = scipy.optimize.minimize(
        loss,
        prior,
        jac=gradient,
        hess=hessian,
        method="trust-exact",
        tol=GRADIENT_TOLERANCE * len(labels),
    )
    network, leaves, bias = minimum.x
    return BlendRecord(network=network, leaves=leaves, bias=bias)


def blend_on(network: tf_keras.Model, forest: Forest, validation: EventTable) -> BlendRecord:
    """Fits the blend of a network and a forest.

    Args:
        network: on the host.
        forest: grown on other events than the validation events.
        validation: validation events, with columns as features.
    """
    with tf.device("CPU"):
        return fit_blend(
            apply_in_chunks(_to_logits(network), validation.features),
            apply_in_chunks(ForestLayer(forest), validation.features),
            validation.labels,
        )


def assemble(
    network: tf_keras.Model, forest: Forest | None, blend: BlendRecord | None, *, derived: bool
) -> tf_keras.Model:
    """Assembles the model.

    Args:
        network: on the host.
        forest: None for a model without trees.
        blend: None without a forest.
        derived: whether the columns are the derived ones.

    Returns:
        The model, from published features float32 [N, 28] to probabilities float32 [N, 1].
    """
    with tf.device("CPU"):
        features = tf_keras.Input([NUM_FEATURES], name="features")
        columns = column_layer(derived=derived)(features)
        logits = _to_logits(network)(columns)
        if forest is not None and blend is not None:
            leaves = ForestLayer(forest, name="leaves")(columns)
            logits = BlendLayer(blend, name="blend")([logits, leaves])
        probability = tf_keras.layers.Activation("sigmoid", name=SIGNAL_PROBABILITY)(logits)
        return tf_keras.Model(features, probability, name="serving")


def _to_logits(network: tf_keras.Model) -> tf_keras.Model:
    return tf_keras.Model(network.input, network.get_layer(LOGITS).output, name="network")


class BlendLayer(tf_keras.layers.Layer):
    """A linear function of two logits."""

    def __init__(self, blend: BlendRecord, **options: Any):
        super().__init__(**options)
        self._blend = blend

    def call(self, logits: Sequence[tf.Tensor]) -> tf.Tensor:
        """Blends the logits of network and forest, float32 [N, 1] each."""
        network, forest = logits
        blend = self._blend
        return blend.bias + blend.network * network + blend.leaves * forest
