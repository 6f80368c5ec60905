from itertools import combinations

import numpy as np
import pytest
from scipy.special import logsumexp

from models.physics.constraints import corrected_masses
from models.physics.hypotheses import BOTTOM_TAGS, LIGHT_TAGS, NAMES, hypothesis_scores
from models.physics.jet_roles import assign_roles
from models.physics.kinematics import LEPTON, NEUTRINO, record
from tests.models.physics.reference import invariant_mass, momenta


@pytest.fixture(scope="module")
def roles(rows):
    return assign_roles(record(rows[:, :300]))


@pytest.fixture(scope="module")
def columns(roles):
    return hypotheses_by_name(roles)


def hypotheses_by_name(roles):
    masses = corrected_masses(roles.pairs)
    scores = hypothesis_scores(roles.pairs, masses, roles.particles.tags)
    return dict(zip(NAMES, np.asarray(scores), strict=True))


def exponent(mass, expected, width):
    return -0.5 * ((np.log(np.maximum(mass, 1)) - np.log(expected)) / width) ** 2


def scale(p, jets, mass):
    """Scales two jets to a mass, by a factor of at most two."""
    scaled = p.copy()
    factor = np.clip(mass / np.maximum(invariant_mass(p[:, jets]), 1), 0.5, 2)
    scaled[:, jets] *= factor[:, None, None]
    return scaled


def reference_scores(roles, *, tagged):
    """Computes all assignments one after the other."""
    levels = np.asarray(roles.particles.tags).T.round().astype(int)
    top_pair, signal = [], []
    for p in (momenta(roles.particles, other=other) for other in (False, True)):
        for pair in combinations(range(4), 2):
            bottoms, light = list(pair), [jet for jet in range(4) if jet not in pair]
            common = exponent(invariant_mass(p[:, light]), 80.4, 0.12)
            if tagged:
                common = common + sum(
                    np.array(BOTTOM_TAGS if jet in bottoms else LIGHT_TAGS)[levels[:, jet]]
                    for jet in range(4)
                )
            at_w = scale(p, light, 80.4)
            for hadronic, leptonic in (bottoms, bottoms[::-1]):
                top_pair.append(
                    common
                    + exponent(invariant_mass(at_w[:, [hadronic, *light]]), 173, 0.08)
                    + exponent(invariant_mass(p[:, [leptonic, LEPTON, NEUTRINO]]), 173, 0.12)
                )
            both = scale(at_w, bottoms, 125)
            higgs = exponent(invariant_mass(p[:, bottoms]), 125, 0.1)
            heavy = exponent(invariant_mass(both), 425, 0.035)
            for boson in (light, [LEPTON, NEUTRINO]):
                charged = exponent(invariant_mass(both[:, [*bottoms, *boson]]), 325, 0.035)
                signal.append(common + higgs + heavy + charged)
    return logsumexp(top_pair, axis=0), logsumexp(signal, axis=0)


@pytest.mark.parametrize("tagged", [False, True])
def test_scores_are_those_of_all_assignments(columns, roles, tagged):
    suffix = "_tagged" if tagged else ""
    top_pair, signal = reference_scores(roles, tagged=tagged)
    expected = {"top_pair": top_pair, "signal": signal, "ratio": signal - top_pair}
    for name, scores in expected.items():
        column = np.asarray(columns[f"fit_{name}{suffix}"])
        np.testing.assert_allclose(column, np.arcsinh(scores), atol=5e-3)


def test_ratio_is_higher_for_signal(event, labels):
    ratio = hypotheses_by_name(assign_roles(event))["fit_ratio_tagged"]
    assert np.median(ratio[labels == 1]) > np.median(ratio[labels == 0]) + 1
