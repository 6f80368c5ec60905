import numpy as np
import pyarrow as pa
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory

from components.data_gate.checks import find_problems
from models.features import B_TAG_VALUES, FEATURES, LABEL
from pipeline.pipeline import SCHEMA_FILE

EVENTS = 200


@pytest.fixture(scope="module")
def schema():
    return tfdv.load_schema_text(str(SCHEMA_FILE))


@pytest.fixture
def columns():
    values = {name: np.ones(EVENTS, np.float32) for name in FEATURES}
    for name, codes in B_TAG_VALUES.items():
        values[name] = np.resize(np.array(codes, np.float32), EVENTS)
    return {LABEL: np.resize(np.array([0.0, 1.0], np.float32), EVENTS), **values}


def problems(columns, schema, ingested=EVENTS):
    """The checks on real statistics and real anomalies of the layout ingestion writes."""
    batch = pa.RecordBatch.from_arrays(
        [
            pa.array([[value] for value in column], pa.large_list(pa.float32()))
            for column in columns.values()
        ],
        list(columns),
    )
    options = tfdv.StatsOptions(schema=schema, experimental_use_sketch_based_topk_uniques=True)
    statistics = generate_statistics_in_memory(batch, options)
    anomalies = tfdv.validate_statistics(statistics, schema)
    return find_problems("train", ingested, statistics.datasets[0], anomalies, schema)


def test_sound_data_has_no_problem(columns, schema):
    assert problems(columns, schema) == []


def test_lost_events_are_counted(columns, schema):
    (problem,) = problems(columns, schema, ingested=EVENTS + 3)
    assert "train: ExampleGen wrote 203 events, the statistics saw 200: 3 were lost" in problem


def test_values_outside_the_domain(columns, schema):
    columns["lepton_eta"][:5] = 99.0
    (problem,) = problems(columns, schema)
    assert problem.startswith("train: lepton_eta: Unexpectedly high value: 99>3.2")
    assert "Seen: 200 events, 1 to 99, about" in problem
    assert problem.endswith("Expected: one finite float an event, -3.2 to 3.2.")


def test_nan_is_counted(columns, schema):
    columns["m_bb"][:3] = float("nan")
    (problem,) = problems(columns, schema)
    assert "train: m_bb: Float feature has NaN values." in problem
    assert "NaN in 3" in problem


# TFDV takes the spread of the column with the infinity in it.
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_infinity_is_refused(columns, schema):
    columns["m_jj"][0] = float("inf")
    (problem,) = problems(columns, schema)
    assert problem.startswith("train: m_jj: ")
    assert "Float feature has Inf values" in problem
    assert "about 1 outside the domain" in problem


def test_missing_column(columns, schema):
    del columns["jet_2_pt"]
    (problem,) = problems(columns, schema)
    assert problem.startswith("train: jet_2_pt: ")
    assert "Expected: one finite float an event, 0 to 50" in problem


def test_unknown_column(columns, schema):
    columns["m_zz"] = np.ones(EVENTS, np.float32)
    (problem,) = problems(columns, schema)
    assert problem.startswith("train: m_zz: New column")


def test_a_fourth_b_tag_value_is_named_with_its_count(columns, schema):
    columns["jet_1_b_tag"][:7] = 0.5
    found = problems(columns, schema)
    assert (
        "7 events hold 0.5, which is no b-tag code; expected one of 0, 1.08654, 2.17308"
        in found[-1]
    )
    assert "Expected no more than 3 unique values but found 4" in found[0]


def test_three_values_that_are_not_the_codes(columns, schema):
    columns["jet_4_b_tag"] *= 2.0
    (problem,) = problems(columns, schema)
    assert problem.startswith("train: jet_4_b_tag: 66 events hold 6.20392, which is no b-tag code")


def test_one_class_alone_is_refused(columns, schema):
    columns[LABEL][:] = 1.0
    (problem,) = problems(columns, schema)
    assert problem.startswith("train: label: Expected at least 2 unique values but found")
    assert "both of 0 and 1" in problem
