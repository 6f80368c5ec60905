import json

import pytest

from components.scorer.file_scoring import ScoringError
from components.scorer.score_pipeline import read_results
from formats.errors import DataRefusedError


def text(rows=5, **changes):
    return json.dumps({"scores": [rows, 1, False, "d"], **changes})


def test_results_keep_the_order_of_their_tasks():
    results = read_results([text(5), text(6), text(7)])
    assert [scores.rows for scores in results] == [5, 6, 7]
    assert results[0] == (5, 1, False, "d")


def test_the_first_refused_input_is_named_and_the_others_are_counted():
    texts = [text(), text(error="b is bad"), text(error="c is bad")]
    with pytest.raises(DataRefusedError, match=r"^b is bad\n\(2 of 3 inputs were refused\)$"):
        read_results(texts)


def test_a_failure_goes_before_a_refusal():
    with pytest.raises(ScoringError, match="no model"):
        read_results([text(error="a is bad"), text(failure="no model"), text()])
