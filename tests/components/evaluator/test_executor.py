"""The comparison of counts; the evaluation itself is tested end to end."""

from contextlib import nullcontext
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from event_makers import make_events
from tensorflow_data_validation import load_schema_text
from tfx.components.evaluator import executor as stock
from tfx.components.util import tfxio_utils
from tfx.types.standard_artifacts import Examples, Model, ModelBlessing, ModelEvaluation

from components.evaluator.executor import Executor, count_events
from formats.event_counts import EventCountError
from formats.examples import ReadExamples, to_table
from formats.features import COLUMNS
from pipeline.graph import SCHEMA_FILE


def write_counts(make, folder, overall, tagged):
    slices = {
        name: ({"example_count": float(count)}, make.scores())
        for name, count in (("n_b_tags = 1", tagged), ("", overall))
    }
    make.evaluation_files(folder, {"": slices})
    return str(folder)


def test_the_overall_slice_is_counted(make, tmp_path):
    assert count_events(write_counts(make, tmp_path / "e", overall=2000, tagged=700)) == 2000


@pytest.fixture
def examples(tmp_path):
    """30 ingested events."""
    examples = Examples()
    examples.uri, examples.split_names = str(tmp_path / "examples"), '["train", "eval"]'
    examples.set_int_custom_property("events_eval", 30)
    folder = tmp_path / "examples" / "Split-eval"
    folder.mkdir(parents=True)
    pq.write_table(to_table(make_events(30)), folder / "a.parquet")
    return examples


@pytest.fixture
def evaluate(make, examples, tmp_path, monkeypatch):
    """Evaluates the events, with a different number of events seen by the evaluation."""
    evaluation = ModelEvaluation()
    evaluation.uri = str(tmp_path / "evaluation")
    file = Path(examples.uri, "Split-eval", "a.parquet")

    def run(seen, before=lambda _: None, during=lambda _: None, splits=None):
        def stock_do(*_):
            during(file)
            write_counts(make, tmp_path / "evaluation", overall=seen, tagged=0)

        monkeypatch.setattr(stock.Executor, "Do", stock_do)
        before(file)
        properties = {"example_splits": splits} if splits else {}
        Executor().Do({"examples": [examples]}, {"evaluation": [evaluation]}, properties)

    return run


def test_an_evaluation_of_all_events_passes(evaluate):
    evaluate(30)


def test_another_split_is_compared_with_its_own_events(evaluate, examples):
    examples.split_names = '["train", "eval", "test"]'
    examples.set_int_custom_property("events_test", 29)
    folder = Path(examples.uri, "Split-test")
    folder.mkdir()
    pq.write_table(to_table(make_events(29)), folder / "a.parquet")
    with pytest.raises(RuntimeError, match="counted 30 of 29 events"):
        evaluate(30, splits='["test"]')


def test_an_evaluation_of_fewer_events_than_were_ingested_fails_the_node(evaluate):
    with pytest.raises(RuntimeError, match="counted 29 of 30 events: the Beam runner lost"):
        evaluate(29)


@pytest.mark.parametrize("when", ["before", "during"])
def test_missing_files_are_not_blamed_on_beam(evaluate, when):
    with pytest.raises(EventCountError) as error:
        evaluate(0, **{when: lambda file: file.unlink()})
    assert "split eval: found 0 events in " in str(error.value)
    assert "ingestion wrote 30; files were deleted" in str(error.value)
    assert "Beam" not in str(error.value)


@pytest.mark.parametrize("absent", [0, 1])
def test_an_absent_baseline_is_none_and_the_blessing_names_the_version_of_another(
    make, examples, tmp_path, monkeypatch, absent
):
    evaluation, blessing, baseline = ModelEvaluation(), ModelBlessing(), Model()
    evaluation.uri = str(tmp_path / "evaluation")
    baseline.set_int_custom_property("absent", absent)
    baseline.set_string_custom_property("baseline_version", "" if absent else "17")
    baseline.set_string_custom_property("newest_version", "18")
    given = []

    def evaluate(_, inputs, *__):
        given.extend(inputs["baseline_model"])
        write_counts(make, tmp_path / "evaluation", overall=30, tagged=0)

    monkeypatch.setattr(stock.Executor, "Do", evaluate)
    outputs = {"evaluation": [evaluation], "blessing": [blessing]}
    Executor().Do({"examples": [examples], "baseline_model": [baseline]}, outputs, {})
    assert given == ([] if absent else [baseline])
    assert blessing.get_string_custom_property("baseline_version") == ("" if absent else "17")
    assert blessing.get_string_custom_property("newest_version") == "18"


@pytest.mark.parametrize("fails", [False, True])
def test_tfx_reads_with_the_reader_of_the_project_and_only_here(
    make, examples, tmp_path, monkeypatch, fails
):
    stock_factory, sources = tfxio_utils.get_tfxio_factory_from_artifact, []

    def evaluate(*_):
        factory = tfxio_utils.get_tfxio_factory_from_artifact(
            examples=[examples],
            telemetry_descriptors=["Evaluator"],
            schema=load_schema_text(str(SCHEMA_FILE)),
            raw_record_column_name="raw",
        )
        sources.append(factory(f"{examples.uri}/Split-eval/*"))
        write_counts(make, tmp_path / "evaluation", overall=30, tagged=0)
        if fails:
            raise OSError("disk full")

    monkeypatch.setattr(stock.Executor, "Do", evaluate)
    evaluation = ModelEvaluation()
    evaluation.uri = str(tmp_path / "evaluation")
    with pytest.raises(OSError, match="disk full") if fails else nullcontext():
        Executor().Do({"examples": [examples]}, {"evaluation": [evaluation]}, {})
    (source,) = sources
    assert isinstance(source.BeamSource(), ReadExamples)
    assert source.ArrowSchema().names == list(COLUMNS)
    assert tfxio_utils.get_tfxio_factory_from_artifact is stock_factory
