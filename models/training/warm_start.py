"""Weights of an earlier model for a training to begin with."""

import logging
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

log = logging.getLogger("higgs.trainer")

PREFIX, SUFFIX = "weights/", "/.ATTRIBUTES/VARIABLE_VALUE"
"""Around a weight's name in an export's checkpoint."""

Weights = Mapping[str, npt.NDArray[np.float32]]


def weight_name(variable: tf.Variable) -> str:
    """A weight's name in an export, such as ``dense_1:kernel``."""
    name: str = variable.name
    return name.partition(":")[0].replace("/", ":")


def read_weights(path: str) -> Weights:
    """The weights of a model that this project exported, by name.

    Args:
      path: a SavedModel's folder.
    """
    reader = tf.train.load_checkpoint(f"{path}/variables/variables")
    return {
        key.removeprefix(PREFIX).removesuffix(SUFFIX): reader.get_tensor(key)
        for key in reader.get_variable_to_shape_map()
        if key.startswith(PREFIX)
    }


def take_weights(network: tf_keras.Model, weights: Weights) -> list[str]:
    """Sets the weights of layers that learn, where name and shape agree.

    Args:
      network: to begin a training with.
      weights: by name; none leave the network as it is.

    Returns:
      The names of those taken.
    """
    if not weights:
        return []
    learning = [
        weight for layer in network.layers if layer.trainable_weights for weight in layer.weights
    ]
    taken = []
    for variable in learning:
        name = weight_name(variable)
        if name in weights and weights[name].shape == tuple(variable.shape):
            variable.assign(weights[name])
            taken.append(name)
    left = sorted({weight_name(variable) for variable in learning} - {*taken})
    log.info(
        "warm start: took %d of %d weights%s",
        *(len(taken), len(learning)),
        f"; new or of another shape: {', '.join(left)}" if left else "",
    )
    return taken
