import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context as tensorflow_context

from formats.features import FEATURES, HIGH_LEVEL, UNITS
from models.physics.derived_columns import DerivedColumns, derived_columns, derived_names
from models.physics.jet_roles import B1, B2, J1, J2, assign_roles
from tests.models.physics.reference import invariant_mass, momenta


@pytest.fixture(scope="module")
def columns(features):
    return columns_of(features)


def columns_of(features):
    computed = derived_columns(tf.constant(features.T, tf.float32))
    return dict(zip(derived_names(), np.asarray(computed), strict=True))


@pytest.fixture(scope="module")
def p(event):
    return momenta(assign_roles(event).particles)


def test_names_are_unique_and_in_the_order_of_the_layer(features, columns):
    layer = DerivedColumns()(tf.constant(features)).numpy()
    assert (
        layer.shape == (len(features), len(set(derived_names()))) == (len(features), len(columns))
    )
    for index, name in enumerate(derived_names()):
        np.testing.assert_array_equal(layer[:, index], columns[name])


def rotated(features, angles):
    """Turns the azimuths of each event by an angle in radians."""
    changed = features.copy()
    for column, name in enumerate(FEATURES):
        if name.endswith("_phi"):
            radians = features[:, column] * UNITS[name] + angles
            changed[:, column] = ((radians + np.pi) % (2 * np.pi) - np.pi) / UNITS[name]
    return changed


def mirrored(features, suffix):
    changed = features.copy()
    changed[:, [i for i, name in enumerate(FEATURES) if name.endswith(suffix)]] *= -1
    return changed


SYMMETRIES = {
    "rotation": lambda f: rotated(f, np.random.default_rng(3).uniform(-np.pi, np.pi, len(f))),
    "reflection in phi": lambda f: mirrored(f, "_phi"),
    "reflection in eta": lambda f: mirrored(f, "_eta"),
}


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_columns_are_invariant_under(symmetry, features, columns):
    changed = columns_of(SYMMETRIES[symmetry](features))
    for name, before in columns.items():
        scale = max(1.0, np.abs(before).max())
        error = np.abs(changed[name] - before) / scale
        # For one event in 1000 rounding may decide between jets or neutrinos.
        assert np.quantile(error, 0.999) < 1e-5, name


def test_angles_are_relative_to_the_lepton(columns, value):
    assert "lepton_phi" not in columns
    assert (columns["lepton_eta"] >= 0).all()
    assert (columns["missing_energy_phi"] >= 0).all()
    angle = value("missing_energy_phi") - value("lepton_phi")
    expected = np.abs((angle + np.pi) % (2 * np.pi) - np.pi)
    angles = columns["missing_energy_phi"] * UNITS["missing_energy_phi"]
    np.testing.assert_allclose(angles, expected, atol=2e-6)


@pytest.mark.parametrize(
    ("name", "group"),
    [("m_b1b2", (B1, B2)), ("m_b2j1j2l", (B2, J1, J2, 4)), ("m_b1lv", (B1, 4, 5))],
)
def test_masses_are_those_of_the_particles_in_their_name(columns, p, name, group):
    np.testing.assert_allclose(np.exp(columns[name]), invariant_mass(p[:, list(group)]), rtol=2e-4)


def test_differences_are_those_of_published_masses(columns, value):
    masses = {name: value(name) for name in HIGH_LEVEL}
    expected = masses["m_wwbb"] - masses["m_jjj"] - masses["m_jlv"]
    np.testing.assert_allclose(columns["m_wwbb-m_jjj-m_jlv"] * 1000, expected, atol=1e-3)
    np.testing.assert_allclose(
        columns["m_wbb-m_bb"] * 1000, masses["m_wbb"] - masses["m_bb"], atol=1e-3
    )


def test_motion_is_that_of_summed_four_vectors(columns, p):
    def pt(group):
        return np.hypot(*p[:, list(group), 1:3].sum(axis=1).T)

    np.testing.assert_allclose(np.expm1(columns["pt_b1b2"]), pt((B1, B2)), rtol=1e-4)
    np.testing.assert_allclose(np.expm1(columns["pt_lv"]), pt((4, 5)), rtol=1e-4)
    total = p.sum(axis=1)
    energy, longitudinal = total[:, 0], np.abs(total[:, 3])
    np.testing.assert_allclose(np.exp(columns["energy"]), energy, rtol=1e-4)
    np.testing.assert_allclose(np.exp(columns["x1"]), energy + longitudinal, rtol=1e-4)
    np.testing.assert_allclose(np.expm1(columns["x2"]), energy - longitudinal, rtol=1e-3, atol=0.1)
    jets = np.hypot(p[:, :4, 1], p[:, :4, 2]).sum(axis=1)
    np.testing.assert_allclose(columns["centrality"], jets / p[:, :4, 0].sum(axis=1), rtol=1e-4)
    np.testing.assert_allclose(np.exp(columns["pt_jets"]), jets, rtol=1e-4)


@pytest.mark.parametrize("fill", [0.0, 1e-30, -1.0, 50.0, 1e6, -1e6, 3e38, -3e38])
def test_columns_are_finite_for_implausible_events(fill):
    features = np.full([4, len(FEATURES)], fill, np.float32)
    assert np.isfinite(DerivedColumns()(tf.constant(features))).all()


@pytest.mark.slow
def test_columns_compiled_by_xla_are_the_same(features):
    layer = DerivedColumns()
    compiled = tf.function(layer, jit_compile=True, autograph=False)(tf.constant(features)).numpy()
    plain = layer(tf.constant(features)).numpy()
    assert np.quantile(np.abs(compiled - plain).max(axis=1), 0.999) < 1e-3


@pytest.mark.parametrize("count", [0, 1])
def test_few_events_have_columns(count):
    assert DerivedColumns()(tf.ones([count, len(FEATURES)])).shape == [count, len(derived_names())]


@pytest.mark.slow
def test_no_sum_depends_on_the_load_of_the_machine(features):
    # AddN begins with an input whose memory is free; grappler also makes it of chained additions.
    context = tensorflow_context.context()
    context.enable_graph_collection()
    tf.function(DerivedColumns(), autograph=False)(tf.constant(features))
    graphs = context.export_run_metadata().function_graphs
    context.disable_graph_collection()
    nodes = [node for graph in graphs for node in graph.post_optimization_graph.node]
    assert any(node.op == "Sum" for node in nodes)
    assert [node.name for node in nodes if node.op == "AddN" and node.attr["N"].i > 2] == []
