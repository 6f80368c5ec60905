import json

import numpy as np
import pytest

from formats.histograms import Binning, ClassCounts, from_json, to_json

COUNTS = np.array([[0, 3, 1, 0], [2, 5, 7, 1]])
BINNING = Binning(-1.5, 2.5, 2)


def test_content_survives_a_round_trip():
    text = to_json({"x": BINNING}, {"train": ClassCounts({"x": COUNTS}, 2**64 - 1)})

    split = from_json(text)["train"]

    assert split.fingerprint == "f" * 16
    assert split.features["x"].binning == BINNING
    assert split.features["x"].counts.tolist() == COUNTS.tolist()


def test_classes_are_named_in_the_file():
    content = json.loads(to_json({"x": BINNING}, {"train": ClassCounts({"x": COUNTS}, 10)}))

    assert content["bins"] == {"x": {"low": -1.5, "high": 2.5, "bins": 2}}
    assert content["splits"]["train"] == {
        "fingerprint": "000000000000000a",
        "counts": {"x": {"background": [0, 3, 1, 0], "signal": [2, 5, 7, 1]}},
    }


def test_counts_of_parts_add_up_and_fingerprints_wrap_around():
    part = ClassCounts({"x": COUNTS}, 2**63)

    total = part + part

    assert total.counts["x"].tolist() == (2 * COUNTS).tolist()
    assert total.fingerprint == 0


def counted(background):
    counts = {"x": {"background": background, "signal": [0, 0, 0, 0]}}
    return {"train": {"fingerprint": "0", "counts": counts}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "object"),
        ({"bins": {"x": {"low": 1, "high": 1, "bins": 2}}, "splits": {}}, "do not increase"),
        ({"bins": {}, "splits": counted([0, 0, 0, 0])}, "x: counts without bins"),
        ({"bins": {"x": vars(BINNING)}, "splits": counted([1])}, "x: expected 4 counts"),
        ({"bins": {"x": vars(BINNING)}, "splits": counted([0, -1, 0, 0])}, "greater than or equal"),
    ],
)
def test_other_content_is_rejected(content, message):
    with pytest.raises(ValueError, match=message):
        from_json(json.dumps(content))
