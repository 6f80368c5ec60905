import numpy as np

from formats.features import DISCRETE_VALUES, FEATURES
from formats.invalid_values import Unknown, find_unknown_codes, from_json, merge, to_json
from formats.published.record import Events


def events_with_codes(count=30):
    features = np.full((count, len(FEATURES)), 0.123, np.float32)
    for name, codes in DISCRETE_VALUES.items():
        features[:, FEATURES.index(name)] = np.resize(np.array(codes, np.float32), count)
    return Events(features, np.zeros(count, np.float32))


def test_published_codes_are_known():
    assert find_unknown_codes(events_with_codes()) == {}


def test_other_values_are_counted_by_column_with_the_first_as_example():
    events = events_with_codes()
    events.features[[4, 9, 11], FEATURES.index("jet_3_b_tag")] = (0.5, 0.25, np.nan)
    # One jet's code is no other's.
    events.features[2, FEATURES.index("jet_4_b_tag")] = DISCRETE_VALUES["jet_1_b_tag"][2]
    found = find_unknown_codes(events)
    assert found == {
        "jet_3_b_tag": Unknown(3, 0.5),
        "jet_4_b_tag": Unknown(1, DISCRETE_VALUES["jet_1_b_tag"][2]),
    }


def test_the_neighbouring_float_is_no_code():
    events = events_with_codes(3)
    column = FEATURES.index("jet_1_b_tag")
    events.features[1, column] = np.nextafter(events.features[1, column], np.float32(9))
    assert find_unknown_codes(events)["jet_1_b_tag"].events == 1


def test_merge_adds_the_events_and_keeps_the_first_example():
    first = {"jet_1_b_tag": Unknown(2, 0.5)}
    second = {"jet_1_b_tag": Unknown(3, 0.7), "jet_2_b_tag": Unknown(1, 9.0)}
    assert merge(first, second) == {
        "jet_1_b_tag": Unknown(5, 0.5),
        "jet_2_b_tag": Unknown(1, 9.0),
    }
    assert merge({}, {}) == {}


def test_json_gives_back_what_went_in():
    found = {"jet_1_b_tag": Unknown(5, 0.5), "jet_2_b_tag": Unknown(1, float("inf"))}
    assert from_json(to_json(found)) == found
