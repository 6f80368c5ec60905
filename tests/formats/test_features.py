from formats.features import (
    COLUMNS,
    DISCRETE_VALUES,
    FEATURES,
    HIGH_LEVEL,
    LABEL,
    LOW_LEVEL,
    NUM_FEATURES,
)


def test_label_is_not_a_feature():
    assert LABEL not in FEATURES


def test_there_are_28_unique_names():
    assert NUM_FEATURES == len(set(FEATURES)) == 28
    assert len(LOW_LEVEL) == 21
    assert len(HIGH_LEVEL) == 7


def test_columns_are_the_label_followed_by_the_features():
    assert COLUMNS[0] == LABEL
    assert COLUMNS[1:] == FEATURES


def test_order_is_that_of_the_published_vector():
    published = (
        "lepton_pt",
        "lepton_eta",
        "lepton_phi",
        "missing_energy_magnitude",
        "missing_energy_phi",
        "jet_1_pt",
        "jet_1_eta",
        "jet_1_phi",
        "jet_1_b_tag",
        "jet_2_pt",
        "jet_2_eta",
        "jet_2_phi",
        "jet_2_b_tag",
        "jet_3_pt",
        "jet_3_eta",
        "jet_3_phi",
        "jet_3_b_tag",
        "jet_4_pt",
        "jet_4_eta",
        "jet_4_phi",
        "jet_4_b_tag",
        "m_jj",
        "m_jjj",
        "m_lv",
        "m_jlv",
        "m_bb",
        "m_wbb",
        "m_wwbb",
    )
    assert published == FEATURES


def test_discrete_columns_have_three_increasing_values_from_zero():
    for name, values in DISCRETE_VALUES.items():
        assert name in FEATURES
        assert values[0] == 0
        assert sorted(set(values)) == list(values)
        assert len(values) == 3
