"""The columns that network and trees look at: the published ones, or those derived of them."""

import tensorflow as tf
import tf_keras

from formats.features import FEATURES
from models.event_table import Events, empty
from models.physics.derived_columns import DerivedColumns, derived_names

EVENTS = 16_384
"""Events computed at a time: some 100 MB of intermediate values."""


def column_names(*, derived: bool) -> tuple[str, ...]:
    """The columns' names, in order."""
    return derived_names() if derived else FEATURES


def column_layer(*, derived: bool) -> tf_keras.layers.Layer:
    """The layer from published features, float32 [N, 28], to the columns, float32 [N, columns]."""
    if derived:
        return DerivedColumns(name="derived", trainable=False)
    return tf_keras.layers.Activation("linear", name="published", trainable=False)


def compute_columns(events: Events, *, derived: bool) -> Events:
    """The same events with the columns in place of the features, by the layer that serves, too."""
    if not derived:
        return events
    compute = tf.function(column_layer(derived=True), autograph=False)
    columns = empty(len(events), len(derived_names()))
    for start in range(0, len(events), EVENTS):
        part = slice(start, start + EVENTS)
        columns[part] = compute(tf.constant(events.features[part])).numpy()
    return Events(columns, events.labels)
