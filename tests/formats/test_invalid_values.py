import math

import numpy as np
from event_makers import make_valid_events

from formats.features import DISCRETE_VALUES, FEATURES
from formats.invalid_values import InvalidValues, find_invalid_values, from_json, merge, to_json

COLUMNS = list(DISCRETE_VALUES)


def test_allowed_values_are_valid():
    assert find_invalid_values(make_valid_events(30)) == {}


def test_invalid_values_are_counted_by_column_with_the_first_as_example():
    events = make_valid_events(30)
    events.features[[4, 9, 11], FEATURES.index(COLUMNS[2])] = (0.5, 0.25, np.nan)
    # A value of one column is not valid in another.
    other = DISCRETE_VALUES[COLUMNS[0]][2]
    events.features[2, FEATURES.index(COLUMNS[3])] = other

    assert find_invalid_values(events) == {
        COLUMNS[2]: InvalidValues(3, 0.5),
        COLUMNS[3]: InvalidValues(1, other),
    }


def test_the_neighboring_float_is_invalid():
    events = make_valid_events(3)
    column = FEATURES.index(COLUMNS[0])
    events.features[1, column] = np.nextafter(events.features[1, column], np.float32(9))

    assert find_invalid_values(events)[COLUMNS[0]].events == 1


def test_merge_adds_the_events_and_keeps_the_first_example():
    first = {COLUMNS[0]: InvalidValues(2, 0.5)}
    second = {COLUMNS[0]: InvalidValues(3, 0.7), COLUMNS[1]: InvalidValues(1, 9.0)}

    assert merge(first, second) == {
        COLUMNS[0]: InvalidValues(5, 0.5),
        COLUMNS[1]: InvalidValues(1, 9.0),
    }
    assert merge({}, {}) == {}


def test_json_survives_a_round_trip_whatever_the_values():
    invalid = {COLUMNS[0]: InvalidValues(5, 0.5), COLUMNS[1]: InvalidValues(1, math.inf)}

    assert from_json(to_json(invalid)) == invalid
    assert math.isnan(
        from_json(to_json({COLUMNS[0]: InvalidValues(1, math.nan)}))[COLUMNS[0]].such_as
    )
