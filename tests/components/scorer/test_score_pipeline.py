import json

import pytest

from components.scorer.file_scoring import ScoreTask, ScoringError
from components.scorer.score_pipeline import combine
from formats.errors import DataRefusedError

TASKS = [ScoreTask(i, None, f"{i}.parquet", "m", "sha") for i in range(3)]


def line(index, rows=5, **changes):
    return json.dumps({"index": index, "scores": [rows, 1, False, "d"], **changes})


def test_results_are_ordered_by_their_tasks():
    results = combine(TASKS, [line(2, 7), line(0, 5), line(1, 6)])
    assert [scores.rows for scores in results] == [5, 6, 7]
    assert results[0] == (5, 1, False, "d")


@pytest.mark.parametrize("indices", [(0, 1), (0, 1, 1, 2), (0, 1, 1)])
def test_a_lost_or_repeated_file_is_noticed(indices):
    with pytest.raises(ScoringError, match=r"files .* of 3: work was lost or done twice"):
        combine(TASKS, map(line, indices))


def test_the_first_refused_input_is_named_and_the_others_are_counted():
    lines = [line(0), line(2, error="c is bad"), line(1, error="b is bad")]
    with pytest.raises(DataRefusedError, match=r"^b is bad\n\(2 of 3 inputs were refused\)$"):
        combine(TASKS, lines)


def test_a_failure_goes_before_a_refusal():
    with pytest.raises(ScoringError, match="no model"):
        combine(TASKS, [line(0, error="a is bad"), line(1, failure="no model"), line(2)])
