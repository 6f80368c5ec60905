import numpy as np

from components.evaluator.slices import SLICE_COLUMNS, slice_columns
from formats.features import DISCRETE_VALUES


def test_levels_and_their_number():
    levels = [(0, 0, 0, 0), (2, 1, 0, 2), (0, 2, 1, 0)]
    features = {
        name: np.array([[codes[level[jet]]] for level in levels], np.float32)
        for jet, (name, codes) in enumerate(DISCRETE_VALUES.items())
    }
    columns = slice_columns(features)
    assert tuple(columns) == SLICE_COLUMNS
    assert columns["n_b_tags"].tolist() == [[0], [3], [2]]
    assert columns["jet_1_b_tag"].tolist() == [["none"], ["tight"], ["none"]]
    assert columns["jet_2_b_tag"].tolist() == [["none"], ["loose"], ["tight"]]
    assert columns["jet_4_b_tag"].tolist() == [["none"], ["tight"], ["none"]]
