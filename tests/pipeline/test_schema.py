"""The reviewed schema against the one description of the record."""

import pytest
import tensorflow_data_validation as tfdv

from formats.features import DISCRETE_VALUES, FEATURES, LABEL
from pipeline.graph import SCHEMA_FILE


@pytest.fixture(scope="module")
def schema():
    return tfdv.load_schema_text(str(SCHEMA_FILE))


def test_columns_are_the_records_in_order(schema):
    assert [feature.name for feature in schema.feature] == [LABEL, *FEATURES]


def test_every_column_is_one_required_finite_float(schema):
    for feature in schema.feature:
        assert feature.presence.min_fraction == 1.0
        assert [dim.size for dim in feature.shape.dim] == [1]
        assert feature.float_domain.disallow_nan
        assert feature.float_domain.disallow_inf
        assert feature.float_domain.min < feature.float_domain.max


def test_b_tags_end_at_their_highest_code(schema):
    by_name = {feature.name: feature for feature in schema.feature}
    for name, codes in DISCRETE_VALUES.items():
        assert by_name[name].float_domain.max == pytest.approx(codes[-1], abs=1e-7)
