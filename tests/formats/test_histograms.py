import json

import numpy as np
import pytest

from components.histogram_gen.class_counts import Binning, Census
from formats.histograms import from_json, to_json

COUNTS = np.array([[0, 3, 1, 0], [2, 5, 7, 1]])
BINNING = Binning(-1.5, 2.5, 2)


def test_what_is_written_is_read_again():
    text = to_json({"m_bb": BINNING}, {"train": Census({"m_bb": COUNTS}, 2**64 - 1)})
    split = from_json(text)["train"]
    assert split.fingerprint == "f" * 16
    assert split.features["m_bb"].binning == BINNING
    assert split.features["m_bb"].counts.tolist() == COUNTS.tolist()


def test_classes_are_named_in_the_file():
    text = to_json({"m_bb": BINNING}, {"train": Census({"m_bb": COUNTS}, 10)})
    content = json.loads(text)
    assert content["bins"] == {"m_bb": {"low": -1.5, "high": 2.5, "bins": 2}}
    assert content["splits"]["train"] == {
        "fingerprint": "000000000000000a",
        "counts": {"m_bb": {"background": [0, 3, 1, 0], "signal": [2, 5, 7, 1]}},
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "bins: expected names and values"),
        ({"bins": {}, "splits": []}, "splits: expected names and values"),
        ({"bins": {}, "splits": {"train": {}}}, "counts: expected names and values"),
        ({"bins": {"m_bb": {"low": 1, "high": 1, "bins": 2}}, "splits": {}}, "m_bb: .* that rise"),
        (
            {"bins": {}, "splits": {"train": {"counts": {"m_bb": {}}}}},
            "m_bb: counted in bins that are not given",
        ),
        (
            {
                "bins": {"m_bb": vars(BINNING)},
                "splits": {"train": {"counts": {"m_bb": {"background": [1], "signal": [1]}}}},
            },
            "m_bb: expected 4 counts of each class",
        ),
    ],
)
def test_text_that_holds_no_histograms_is_refused_by_name(content, words):
    with pytest.raises(ValueError, match=words):
        from_json(json.dumps(content))
