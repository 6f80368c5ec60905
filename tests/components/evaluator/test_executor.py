"""The comparison of counts; the evaluation itself is tested end to end."""

import pytest
from tfx.components.evaluator import executor as stock
from tfx.types.standard_artifacts import Examples, Model, ModelBlessing, ModelEvaluation

from components.evaluator.executor import Executor, check_count, count_events


def test_equal_counts_pass():
    check_count(ingested=2000, evaluated=2000)


@pytest.mark.parametrize("evaluated", [None, 0, 1999, 2001])
def test_other_counts_give_both_and_the_remedy(evaluated):
    with pytest.raises(RuntimeError) as error:
        check_count(ingested=2000, evaluated=evaluated)
    assert f"saw {evaluated} of 2000 events" in str(error.value)
    assert "use another runner in beam.args" in str(error.value)


def write_counts(make, folder, overall, tagged):
    slices = {
        name: ({"example_count": float(count)}, make.scores())
        for name, count in (("n_b_tags = 1", tagged), ("", overall))
    }
    make.evaluation_files(folder, {"": slices})
    return str(folder)


def test_the_overall_slice_is_counted(make, tmp_path):
    assert count_events(write_counts(make, tmp_path / "e", overall=2000, tagged=700)) == 2000


def test_an_evaluation_of_fewer_events_than_were_ingested_fails_the_node(
    make, tmp_path, monkeypatch
):
    examples, evaluation = Examples(), ModelEvaluation()
    examples.set_int_custom_property("events_eval", 2000)
    evaluation.uri = str(tmp_path / "evaluation")
    monkeypatch.setattr(
        stock.Executor,
        "Do",
        lambda *_: write_counts(make, tmp_path / "evaluation", overall=1999, tagged=0),
    )
    with pytest.raises(RuntimeError, match="saw 1999 of 2000"):
        Executor().Do({"examples": [examples]}, {"evaluation": [evaluation]}, {})


@pytest.mark.parametrize("absent", [0, 1])
def test_an_absent_baseline_is_none_and_the_version_of_another_is_on_the_blessing(
    make, tmp_path, monkeypatch, absent
):
    examples, evaluation, blessing, baseline = (
        Examples(),
        ModelEvaluation(),
        ModelBlessing(),
        Model(),
    )
    examples.set_int_custom_property("events_eval", 2000)
    evaluation.uri = str(tmp_path / "evaluation")
    baseline.set_int_custom_property("absent", absent)
    baseline.set_string_custom_property("baseline_version", "" if absent else "17")
    given = []

    def evaluate(_, inputs, *__):
        given.extend(inputs["baseline_model"])
        write_counts(make, tmp_path / "evaluation", overall=2000, tagged=0)

    monkeypatch.setattr(stock.Executor, "Do", evaluate)
    outputs = {"evaluation": [evaluation], "blessing": [blessing]}
    Executor().Do({"examples": [examples], "baseline_model": [baseline]}, outputs, {})
    assert given == ([] if absent else [baseline])
    assert blessing.get_string_custom_property("baseline_version") == ("" if absent else "17")
