from itertools import combinations, pairwise

import numpy as np
import pytest
from event_makers import join_events, same_events, select
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from formats.features import DISCRETE_VALUES, FEATURES, PHI_SCALE, UNITS
from pipeline.sample_data import processes
from pipeline.sample_data.detector import MAX_ETA, MIN_PT
from pipeline.sample_data.four_momenta import (
    Cylindrical,
    breit_wigner,
    cylindrical,
    decay,
    four_vectors,
    mass,
    massless,
)
from pipeline.sample_data.monte_carlo import BLOCK, generate
from pipeline.sample_data.reconstruction import hadronic_w, leptonic_w

UNIFORM_TURN = stats.uniform(-np.pi, 2 * np.pi)

CHAINS = {
    "signal": (
        processes.signal,
        {
            "system": ("first_w", "charged_higgs"),
            "charged_higgs": ("second_w", "higgs"),
            "higgs": ("bottom", "antibottom"),
            "w_leptonic": ("lepton", "neutrino"),
            "w_hadronic": ("quark", "antiquark"),
        },
    ),
    "background": (
        processes.background,
        {
            "system": ("top", "antitop"),
            "top": ("w_leptonic", "bottom"),
            "antitop": ("w_hadronic", "antibottom"),
            "w_leptonic": ("lepton", "neutrino"),
            "w_hadronic": ("quark", "antiquark"),
        },
    ),
}


@pytest.fixture(scope="module")
def truth():
    return {
        name: process(np.random.default_rng(5), 20_000) for name, (process, _) in CHAINS.items()
    }


@pytest.fixture(scope="module")
def toy():
    return join_events(generate(100_000, seed=1))


def column(events, name):
    return events.features[:, FEATURES.index(name)].astype(np.float64)


def peak(values, width):
    """Center of the bin with the most events."""
    counts, edges = np.histogram(values, np.arange(values.min(), values.max() + width, width))
    return edges[counts.argmax()] + width / 2


@pytest.mark.parametrize("name", CHAINS)
def test_every_decay_conserves_four_momentum(truth, name):
    for parent, (first, second) in CHAINS[name][1].items():
        whole, parts = truth[name][parent], truth[name][first] + truth[name][second]
        assert np.abs(whole - parts).max() <= 1e-6 * whole[0].max(), parent


@pytest.mark.parametrize("name", CHAINS)
def test_every_particle_is_on_its_mass_shell(truth, name):
    expected = {"lepton": 0, "neutrino": 0, "quark": 0, "antiquark": 0, "bottom": 4.7}
    for particle, value in expected.items():
        p = truth[name][particle]
        squared = p[0] ** 2 - (p[1:] ** 2).sum(axis=0)
        assert np.abs(squared - value**2).max() < 1e-6 * (p[0] ** 2).max(), particle


@pytest.mark.parametrize(
    ("name", "particle", "expected", "width"),
    [
        ("signal", "system", 425.0, 5.0),
        ("signal", "charged_higgs", 325.0, 4.0),
        ("signal", "higgs", 125.0, 0.004),
        ("signal", "second_w", 80.4, 2.1),
        ("background", "top", 173.0, 1.5),
        ("background", "antitop", 173.0, 1.5),
        ("background", "w_leptonic", 80.4, 2.1),
        ("background", "w_hadronic", 80.4, 2.1),
    ],
)
def test_resonances_peak_at_their_mass_with_their_width(truth, name, particle, expected, width):
    low, middle, high = np.quantile(mass(truth[name][particle]), [0.25, 0.5, 0.75])

    assert middle == pytest.approx(expected, abs=0.05 * width + 1e-6)
    # Quartiles of a Breit-Wigner lie half a width either side; the cut brings them in a little.
    assert high - low == pytest.approx(width, rel=0.2)


def test_either_w_of_the_signal_gives_the_lepton(truth):
    from_first = (truth["signal"]["w_leptonic"] == truth["signal"]["first_w"]).all(axis=0)

    assert from_first.mean() == pytest.approx(0.5, abs=0.015)


def test_masses_stay_within_the_limits():
    high = np.linspace(81, 90, 1000)
    masses = breit_wigner(np.random.default_rng(0), 80.4, 2.1, 60.0, high)

    assert masses.min() >= 60
    assert (masses <= high).all()


def test_decays_are_isotropic_in_the_parents_frame():
    rng = np.random.default_rng(3)
    count = 20_000
    at_rest = four_vectors(np.full(count, 100.0), *np.zeros((3, count)))
    first, second = decay(rng, at_rest, 10.0, 20.0)
    momentum = np.linalg.norm(first[1:], axis=0)

    # p* = sqrt((M^2 - (m1 + m2)^2) (M^2 - (m1 - m2)^2)) / 2M
    assert momentum == pytest.approx(np.sqrt((1e4 - 900) * (1e4 - 100)) / 200)
    assert stats.kstest(first[3] / momentum, stats.uniform(-1, 2).cdf).pvalue > 1e-3
    assert stats.kstest(np.arctan2(first[2], first[1]), UNIFORM_TURN.cdf).pvalue > 1e-3
    assert mass(second) == pytest.approx(20.0)


def test_cylindrical_inverts_massless():
    rng = np.random.default_rng(0)
    momenta = Cylindrical(rng.uniform(1, 99, 50), rng.uniform(-4, 4, 50), rng.uniform(-3, 3, 50))

    assert np.allclose(cylindrical(massless(momenta)), momenta)
    assert mass(massless(momenta)) == pytest.approx(0, abs=1e-4)


def test_neutrino_puts_the_lepton_on_the_w_mass_if_possible(truth):
    lepton, neutrino = truth["signal"]["lepton"], truth["signal"]["neutrino"]
    w_mass = mass(lepton + neutrino)

    leptonic = leptonic_w(lepton, neutrino[1:3], w_mass)

    assert np.median(np.abs(mass(leptonic) / w_mass - 1)) < 1e-6
    assert (mass(leptonic) > w_mass * (1 - 1e-6)).all()


@pytest.mark.slow
def test_blocks_of_a_short_run_are_the_first_of_a_longer_one():
    short, long = join_events(generate(BLOCK + 7, 3)), join_events(generate(2 * BLOCK, 3))

    assert len(short.labels) == BLOCK + 7
    assert same_events(short, select(long, slice(BLOCK + 7)))


@pytest.mark.slow
@pytest.mark.parametrize("first", [3, BLOCK + 2])
def test_the_first_events_can_be_left_out(first):
    later, events = join_events(generate(BLOCK + 7, 3, first)), join_events(generate(BLOCK + 7, 3))

    assert same_events(later, select(events, slice(first, None)))


@pytest.mark.slow
def test_seeds_and_blocks_differ():
    blocks = [*generate(2 * BLOCK, 3), *generate(BLOCK, 4)]

    assert len({block.features.tobytes() for block in blocks}) == 3


def test_first_event_of_seed_0_never_changes():
    events = join_events(generate(1, 0))

    assert events.labels.tolist() == [0.0]
    assert events.features[0, :5] == pytest.approx(
        [0.492010, -0.474770, 0.877942, 1.086993, 0.063192], rel=1e-5
    )


def test_53_percent_are_signal(toy):
    assert toy.labels.mean() == pytest.approx(0.53, abs=0.005)


def test_all_values_are_finite_float32(toy):
    assert toy.features.dtype == toy.labels.dtype == np.float32
    assert np.isfinite(toy.features).all()


@pytest.mark.parametrize("name", [name for name in FEATURES if name.endswith("_phi")])
def test_phi_is_uniform(toy, name):
    radians = column(toy, name) / PHI_SCALE

    assert stats.kstest(radians, UNIFORM_TURN.cdf).pvalue > 1e-3


@pytest.mark.parametrize("name", DISCRETE_VALUES)
def test_b_tags_have_the_published_values(toy, name):
    values, counts = np.unique(column(toy, name), return_counts=True)

    assert values.tolist() == list(DISCRETE_VALUES[name])
    assert counts.min() > 1000


def test_columns_are_in_published_units(toy):
    """The published set has means or standard deviations of 1; the toy is close to that."""
    for name in UNITS:
        values = column(toy, name)
        if name.endswith(("_eta", "_phi")):
            assert values.mean() == pytest.approx(0, abs=0.02), name
            assert values.std() == pytest.approx(1, abs=0.1), name
        else:
            assert values.mean() == pytest.approx(1, abs=0.25), name


def test_leptons_and_jets_are_accepted_and_jets_ordered(toy):
    pt = [column(toy, f"jet_{jet}_pt") * UNITS[f"jet_{jet}_pt"] for jet in (1, 2, 3, 4)]

    assert (column(toy, "lepton_pt") * UNITS["lepton_pt"]).min() >= MIN_PT * 0.999
    assert pt[3].min() >= MIN_PT * 0.999
    assert all((harder >= softer * 0.999).all() for harder, softer in pairwise(pt))
    for name in ("lepton_eta", "jet_1_eta", "jet_4_eta"):
        assert np.abs(column(toy, name) * UNITS[name]).max() <= MAX_ETA * 1.001


def test_at_most_two_jets_are_tagged(toy):
    tags = np.stack([column(toy, name) for name in DISCRETE_VALUES])

    assert (tags > 0).sum(axis=0).max() == 2


def test_m_bb_of_the_signal_peaks_at_the_higgs_and_that_of_the_background_does_not(toy):
    m_bb = column(toy, "m_bb") * UNITS["m_bb"]
    signal, background = m_bb[toy.labels == 1], m_bb[toy.labels == 0]

    assert peak(signal, 10.0) == pytest.approx(125, abs=15)
    near = [np.mean(np.abs(values - 125) < 15) for values in (signal, background)]
    assert near[0] > 2 * near[1]


def test_m_lv_is_sharply_peaked_at_the_w(toy):
    m_lv = column(toy, "m_lv") * UNITS["m_lv"]

    assert peak(m_lv, 1.0) == pytest.approx(80.4, abs=1)
    assert np.mean(np.abs(m_lv - 80.4) < 5) > 0.5


def test_m_jj_peaks_at_the_w_and_m_jjj_of_the_background_at_the_top(toy):
    m_jj = column(toy, "m_jj") * UNITS["m_jj"]
    m_jjj = (column(toy, "m_jjj") * UNITS["m_jjj"])[toy.labels == 0]

    assert peak(m_jj, 10.0) == pytest.approx(80.4, abs=15)
    assert peak(m_jjj, 10.0) == pytest.approx(173, abs=15)


@pytest.mark.slow
def test_toy_is_neither_trivial_nor_hopeless(toy):
    train, test = slice(20_000), slice(20_000, 50_000)
    model = HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=15, random_state=0)
    model.fit(toy.features[train], toy.labels[train])

    scores = model.predict_proba(toy.features[test])[:, 1]

    assert 0.80 < roc_auc_score(toy.labels[test], scores) < 0.90


def test_hadronic_w_is_the_usable_pair_closest_to_its_mass():
    rng = np.random.default_rng(1)
    jets = massless(
        Cylindrical(*rng.uniform([[[20]], [[-2]], [[-3]]], [[[90]], [[2]], [[3]]], (3, 5, 40)))
    )
    is_usable = np.ones((5, 40), bool)
    is_usable[4, :20] = False
    b_indices = np.tile([[1], [0]], 40)

    masses = mass(hadronic_w(jets, is_usable, b_indices))

    for event in range(40):
        free = [jet for jet in (2, 3, 4) if is_usable[jet, event]]
        candidates = [mass(jets[:, a, event] + jets[:, b, event]) for a, b in combinations(free, 2)]
        assert masses[event] == pytest.approx(min(candidates, key=lambda m: abs(m - 80.4)))
