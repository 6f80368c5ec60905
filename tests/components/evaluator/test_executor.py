"""The comparison of counts; the evaluation itself is tested end to end."""

from types import SimpleNamespace

import pytest
import tensorflow_model_analysis as tfma
from tfx.components.evaluator import executor as stock
from tfx.types.standard_artifacts import Examples, ModelEvaluation

from components.evaluator import executor
from components.evaluator.executor import Executor, check_count, count_events


def test_equal_counts_pass():
    check_count(ingested=2000, evaluated=2000)


@pytest.mark.parametrize("evaluated", [0, 1999, 2001])
def test_other_counts_give_both_and_the_remedy(evaluated):
    with pytest.raises(RuntimeError) as error:
        check_count(ingested=2000, evaluated=evaluated)
    assert f"saw {evaluated} of 2000 events" in str(error.value)
    assert "use another runner in beam.args" in str(error.value)


def results(*slices):
    """TFMA's results of one model, a count for each slice."""
    metrics = [
        (key, {"": {"": {"example_count": {"doubleValue": float(count)}}}}) for key, count in slices
    ]
    return SimpleNamespace(get_results=lambda: [SimpleNamespace(slicing_metrics=metrics)])


def test_the_overall_slice_is_counted_wherever_it_stands(monkeypatch):
    found = results(((("n_b_tags", "1"),), 700), ((), 2000))
    monkeypatch.setattr(tfma, "load_eval_results", lambda _: found)
    assert count_events("evaluation") == 2000


def test_an_evaluation_of_fewer_events_than_were_ingested_fails_the_node(monkeypatch):
    monkeypatch.setattr(stock.Executor, "Do", lambda *_: None)
    monkeypatch.setattr(executor, "count_events", lambda _: 1999)
    examples, evaluation = Examples(), ModelEvaluation()
    examples.set_int_custom_property("events_eval", 2000)
    with pytest.raises(RuntimeError, match="saw 1999 of 2000"):
        Executor().Do({"examples": [examples]}, {"evaluation": [evaluation]}, {})
