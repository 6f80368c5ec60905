"""Order of the columns, judged by the masses of toy events; measured on published ones."""

from itertools import pairwise

import numpy as np
import pytest
from event_makers import make_events, toy_events

from formats.features import FEATURES, HIGH_LEVEL, LOW_LEVEL, UNITS
from formats.published.column_order import PLAUSIBLE, agreement, find_order_problem


@pytest.fixture(scope="module")
def features():
    return toy_events(1500, seed=3).features


def exchanged(features, *pairs):
    features = features.copy()
    for pair in pairs:
        indices = [FEATURES.index(name) for name in pair]
        features[:, indices] = features[:, indices[::-1]]
    return features


def reordered(features, names):
    return features[:, [FEATURES.index(name) for name in names]]


def test_the_published_order_is_plausible(features):
    assert agreement(features.astype(np.float64)) > PLAUSIBLE
    for start in range(0, 1500, 100):
        assert find_order_problem(features[start : start + 100]) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "pair",
    [
        *pairwise(HIGH_LEVEL),
        ("m_jj", "m_wwbb"),
        ("lepton_eta", "lepton_phi"),
        ("lepton_phi", "missing_energy_phi"),
        ("lepton_pt", "missing_energy_magnitude"),
        ("lepton_pt", "jet_2_pt"),
        ("jet_1_eta", "jet_2_eta"),
        ("jet_3_phi", "jet_4_phi"),
        ("jet_1_pt", "jet_4_pt"),
        ("jet_4_pt", "m_jj"),
    ],
)
@pytest.mark.parametrize("events", [100, 500])
def test_two_exchanged_columns_are_named(features, pair, events):
    problem = find_order_problem(exchanged(features[:events], pair))
    assert f"after exchanging {pair[0]} with {pair[1]}" in problem.reason + ","
    assert problem.remedy.startswith("Write the columns in this order: lepton_pt, lepton_eta,")


@pytest.mark.slow
def test_sorted_and_reversed_masses_are_refused(features):
    for names in (sorted(HIGH_LEVEL), HIGH_LEVEL[::-1]):
        assert find_order_problem(reordered(features, (*LOW_LEVEL, *names)))


@pytest.mark.slow
def test_a_lepton_in_place_of_a_jet_is_refused(features):
    pairs = [(f"lepton_{name}", f"jet_1_{name}") for name in ("pt", "eta", "phi")]
    assert find_order_problem(exchanged(features, *pairs))


@pytest.mark.slow
def test_masses_that_do_not_follow_from_the_momenta_are_accepted():
    """Made-up columns, which no other order explains either."""
    rng = np.random.default_rng(0)
    for seed in range(5):
        features = np.abs(make_events(300, seed).features)
        features[:, -7:] = rng.lognormal(0, 0.3, (300, 7))
        assert find_order_problem(features) is None


def test_too_few_events_are_not_checked(features):
    swapped = exchanged(features, ("m_jj", "m_jjj"))
    assert find_order_problem(swapped[:99]) is None
    assert find_order_problem(swapped[:0]) is None


@pytest.mark.slow
def test_other_units_are_left_to_the_schema(features):
    physical = features * np.float32([UNITS.get(name, 1.0) for name in FEATURES])
    assert find_order_problem(physical) is None


def test_any_values_are_checked_without_a_warning(features):
    hostile = features.copy()
    hostile[::3] = np.nan
    hostile[1::3] = np.inf
    hostile[2::3] = 0
    assert find_order_problem(hostile) is None


def test_signaling_nans_cause_no_warning():
    features = np.full((1, 28), 0x7F800001, np.uint32).view(np.float32)
    assert find_order_problem(features) is None
