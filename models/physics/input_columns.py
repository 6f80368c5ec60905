"""Input columns of network and forest: the published features, or the derived columns."""

import tf_keras

from formats.features import FEATURES
from models.event_table import EventTable, apply_in_chunks, empty_columns
from models.physics.derived_columns import DerivedColumns, derived_names


def column_names(*, derived: bool) -> tuple[str, ...]:
    """Returns the names of the columns, in order.

    >>> len(column_names(derived=False)), len(column_names(derived=True))
    (28, 115)
    """
    return derived_names() if derived else FEATURES


def column_layer(*, derived: bool) -> tf_keras.layers.Layer:
    """Returns the layer from features, float32 [N, 28], to columns, float32 [N, columns]."""
    if derived:
        return DerivedColumns(name="derived", trainable=False)
    return tf_keras.layers.Activation("linear", name="published", trainable=False)


def compute_columns(events: EventTable, *, derived: bool) -> EventTable:
    """Replaces the features by the columns, computed by the layer that also serves."""
    if not derived:
        return events
    layer = column_layer(derived=True)
    return EventTable(apply_in_chunks(layer, events.features, empty_columns), events.labels)
