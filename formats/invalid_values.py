"""The b-tags that are no code: counted while events are decoded, refused by DataGate.

Here because TFDV's statistics of floats hold no values, and its categorical statistics,
which do, take a Python call for every one.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from formats.features import B_TAG_VALUES, FEATURES
from formats.published.record import Events


@dataclass(frozen=True)
class Unknown:
    """The values of one column that are none of its codes.

    Attributes:
      events: how many events hold one.
      such_as: the first one met.
    """

    events: int
    such_as: float


UnknownCodes = Mapping[str, Unknown]
"""By column; a column that holds nothing but its codes is not there."""


def find_unknown_codes(events: Events) -> UnknownCodes:
    """Holds every b-tag against ``B_TAG_VALUES``, bit for bit."""
    found = {}
    for name, codes in B_TAG_VALUES.items():
        values = events.features[:, FEATURES.index(name)]
        unknown = ~np.logical_or.reduce([values == np.float32(code) for code in codes])
        if unknown.any():
            found[name] = Unknown(int(unknown.sum()), float(values[unknown.argmax()]))
    return found


def merge(first: UnknownCodes, second: UnknownCodes) -> UnknownCodes:
    """What was found in two parts of the data, together."""
    both = {
        name: Unknown(first[name].events + second[name].events, first[name].such_as)
        for name in first.keys() & second.keys()
    }
    return {
        name: both.get(name) or first.get(name) or second[name]
        for name in B_TAG_VALUES
        if name in first or name in second
    }


def to_json(unknown: UnknownCodes) -> str:
    """As text, for an artifact's property."""
    return json.dumps({name: asdict(found) for name, found in unknown.items()})


def from_json(text: str) -> UnknownCodes:
    """The inverse of ``to_json``."""
    return {name: Unknown(**found) for name, found in json.loads(text).items()}
