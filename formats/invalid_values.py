"""Invalid values of discrete columns: counted while events are decoded, refused by DataGate.

Ingestion counts them because TFDV's statistics of floats do not contain values, and its categorical
statistics, which do, call Python for every value. They are stored as JSON in a custom property of
the Examples.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pydantic import ConfigDict, TypeAdapter

from formats.features import DISCRETE_VALUES, FEATURES
from formats.published.record import Events

SNAP_LIMIT = 1e-4
"""Largest distance from an allowed value of a value that lost digits, and can be rounded to it."""


@dataclass(frozen=True)
class InvalidValues:
    """The values of one column that are not among its allowed values.

    Attributes:
        events: number of events with such a value.
        such_as: the first of these values.
    """

    events: int
    such_as: float


InvalidColumns = Mapping[str, InvalidValues]
"""Invalid values by column; columns without any are absent."""

# JSON has no infinities and no NaN; Python reads and writes them as constants.
_JSON = TypeAdapter(dict[str, InvalidValues], config=ConfigDict(ser_json_inf_nan="constants"))


def find_invalid_values(events: Events) -> InvalidColumns:
    """Compares every value of the discrete columns with the allowed ones, bit for bit."""
    invalid_columns = {}
    for name, allowed in DISCRETE_VALUES.items():
        values = events.features[:, FEATURES.index(name)]
        invalid = ~np.isin(values, np.array(allowed, np.float32))
        if invalid.any():
            invalid_columns[name] = InvalidValues(
                int(invalid.sum()), float(values[invalid.argmax()])
            )
    return invalid_columns


def merge(first: InvalidColumns, second: InvalidColumns) -> InvalidColumns:
    """Adds the invalid values of two parts of the data.

    >>> column = next(iter(DISCRETE_VALUES))
    >>> both = merge({column: InvalidValues(2, 0.5)}, {column: InvalidValues(3, 0.7)})
    >>> both[column]
    InvalidValues(events=5, such_as=0.5)
    """
    total = dict(first)
    for name, invalid in second.items():
        if name in total:
            invalid = InvalidValues(total[name].events + invalid.events, total[name].such_as)
        total[name] = invalid
    return {name: total[name] for name in DISCRETE_VALUES if name in total}


def to_json(invalid: InvalidColumns) -> str:
    """Returns the JSON of an artifact's property."""
    return _JSON.dump_json(dict(invalid)).decode()


def from_json(text: str) -> InvalidColumns:
    """Reads the JSON of an artifact's property.

    Raises:
        pydantic.ValidationError: the text does not have this form.
    """
    return _JSON.validate_json(text)
