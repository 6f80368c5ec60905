import numpy as np
import pyarrow as pa
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory

from components.data_gate.data_problems import find_problems
from components.data_gate.event_locations import Location
from components.data_gate.value_search import Matches
from formats.features import DISCRETE_VALUES, FEATURES, LABEL
from formats.invalid_values import InvalidValues
from formats.published.scale import SCALED
from pipeline.graph import SCHEMA_FILE

EVENTS = 200


@pytest.fixture(scope="module")
def schema():
    return tfdv.load_schema_text(str(SCHEMA_FILE))


@pytest.fixture
def columns():
    values = {name: np.linspace(0.5, 1, EVENTS, dtype=np.float32) for name in FEATURES}
    for name, codes in DISCRETE_VALUES.items():
        values[name] = np.resize(np.array(codes, np.float32), EVENTS)
    return {LABEL: np.resize(np.array([0.0, 1.0], np.float32), EVENTS), **values}


def problems(columns, schema, ingested=EVENTS, invalid_columns=None):
    """The checks on real statistics and real anomalies of the layout ingestion writes."""
    batch = pa.RecordBatch.from_arrays(
        [
            pa.array([[value] for value in column], pa.large_list(pa.float32()))
            for column in columns.values()
        ],
        list(columns),
    )
    statistics = generate_statistics_in_memory(batch)
    anomalies = tfdv.validate_statistics(statistics, schema)

    def search(name, condition):
        rows = np.flatnonzero(condition(columns[name]))
        return Matches(rows.size, Location("shard", int(rows[0])) if rows.size else None)

    observed = statistics.datasets[0]
    return find_problems(
        "train", ingested, invalid_columns or {}, observed, anomalies, schema, search
    )


@pytest.mark.slow
def test_sound_data_has_no_problem(columns, schema):
    assert problems(columns, schema) == []


@pytest.mark.slow
def test_lost_events_are_counted(columns, schema):
    (problem,) = problems(columns, schema, ingested=EVENTS + 3)
    assert "train: ingestion wrote 203 events, the statistics counted 200: 3 were lost" in problem


@pytest.mark.slow
def test_values_outside_the_domain(columns, schema):
    columns["lepton_eta"][5:12] = [-3.2, 3.2, *[99.0] * 5]
    (problem,) = problems(columns, schema)
    assert problem.startswith("train: lepton_eta: Unexpectedly high value: 99>3.2")
    place = "the first in shard, record 7, counted from 0"
    assert f"-3.2 to 99, 5 outside the domain ({place})." in problem
    assert problem.endswith("-3.2 to 3.2. Correct these events, or leave them out.")


@pytest.mark.slow
def test_nan_is_counted(columns, schema):
    columns["m_bb"][4:7] = float("nan")
    (problem,) = problems(columns, schema)
    assert "train: m_bb: Float feature has NaN values." in problem
    assert "NaN in 3 (the first in shard, record 4, counted from 0)" in problem
    assert problem.endswith("`higgs convert FOLDER --missing drop --out NEW` leaves them out.")


# TFDV computes the standard deviation of the column with the infinity in it.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_infinity_is_refused(columns, schema):
    columns["m_jj"][0] = float("inf")
    (problem,) = problems(columns, schema)
    assert problem.startswith("train: m_jj: ")
    assert "Float feature has Inf values" in problem
    assert "1 outside the domain (the first in shard, record 0, counted from 0)" in problem


@pytest.mark.slow
def test_missing_column(columns, schema):
    del columns["jet_2_pt"]
    (problem,) = problems(columns, schema)
    assert problem.startswith("train: jet_2_pt: ")
    assert "Expected: one finite float per event, 0 to 50" in problem


def test_missing_label(columns, schema):
    del columns[LABEL]
    (problem,) = problems(columns, schema)
    assert problem.startswith("train: label: ")


@pytest.mark.slow
def test_unknown_column(columns, schema):
    columns["m_zz"] = np.ones(EVENTS, np.float32)
    (problem,) = problems(columns, schema)
    assert problem.startswith("train: m_zz: New column")


@pytest.mark.parametrize(
    ("value", "shown", "remedy"),
    [
        (0.5, "0.5", "correct these events or leave them out"),
        (np.float32(1.0865), "1.08650005", "lost digits with `higgs convert FOLDER --snap-b-tags"),
        (1.0867, "1.0867", "correct these events or leave them out"),
        (2.0, "2", "write codes instead of levels 0, 1, 2, or, if the momenta are in GeV, "),
    ],
)
def test_an_invalid_value_is_reported_with_its_count(columns, schema, value, shown, remedy):
    columns["jet_1_b_tag"][5:12] = 0.5
    invalid = {"jet_1_b_tag": InvalidValues(7, float(value))}
    (problem,) = problems(columns, schema, invalid_columns=invalid)
    assert problem.startswith(
        f"train: jet_1_b_tag: 7 events have an invalid value, such as {shown} (the first in "
        "shard, record 5, counted from 0); expected one of 0, 1.08653808, 2.17307615; "
    )
    assert remedy in problem


@pytest.mark.slow
def test_gev_are_recognized(columns, schema):
    for name in SCALED:
        columns[name] *= 60
    columns["lepton_phi"][3] = 3.1
    [problem] = problems(columns, schema)
    assert problem.startswith("train: the momenta and masses have means of 45 and more")
    assert problem.endswith("`higgs convert FOLDER --units gev --out NEW`")


@pytest.mark.parametrize(("mean", "is_gev"), [(9.9, False), (10.1, True)])
def test_gev_have_means_above_10(columns, schema, mean, is_gev):
    for name in SCALED:
        columns[name] *= mean / 0.75
    found = problems(columns, schema)
    assert any("they look like GeV" in problem for problem in found) == is_gev


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_class_alone_is_refused(columns, schema, label):
    columns[LABEL][:] = label
    (problem,) = problems(columns, schema)
    assert problem == (
        f"train: label: all 200 events have {label:g}; expected both 0 (background) and 1 "
        "(signal): add events of the other class"
    )


def test_a_mean_that_no_published_column_has_is_refused(columns, schema):
    for name in SCALED:
        columns[name] *= 0.06

    [problem] = problems(columns, schema)

    assert problem.startswith("train: ")
    assert f" in published units (and {len(SCALED) - 1} more columns are as small)" in problem
    assert problem.endswith(
        "at least 0.2 is expected: the values are in another unit, such as TeV; convert the "
        "original events, in GeV, with `higgs convert FOLDER --units gev --out NEW`"
    )


def test_a_momentum_or_mass_of_zero_is_refused(columns, schema):
    columns["m_bb"][2:5] = 0

    assert problems(columns, schema) == [
        "train: m_bb: 3 events have 0, which is not a valid momentum or mass: it means a "
        "missing value (the first in shard, record 2, counted from 0); leave these events out"
    ]


@pytest.mark.slow
def test_a_constant_column_is_refused(columns, schema):
    columns["m_bb"][:] = 0
    columns["jet_3_b_tag"][:] = 0
    assert problems(columns, schema) == [
        f"train: {name}: all 200 events have 0; a constant column is an error of the "
        "export: write the measured values"
        for name in ("jet_3_b_tag", "m_bb")
    ]


@pytest.mark.parametrize(("events", "count"), [(49, 0), (50, 1)])
def test_few_events_may_have_the_same_value(columns, schema, events, count):
    few = {name: values[:events] for name, values in columns.items()}
    few["jet_4_b_tag"] = np.zeros(events, np.float32)
    found = problems(few, schema, ingested=events)
    assert ["a constant column" in problem for problem in found] == [True] * count
