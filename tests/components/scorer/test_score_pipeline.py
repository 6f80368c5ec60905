from dataclasses import dataclass

import apache_beam as beam
import pytest
from event_makers import make_published_events
from score_models import write_onnx

from components.scorer.file_scoring import Rows, ScoreTask, ScoringError
from components.scorer.score_pipeline import score_on_beam
from formats.errors import DataRefusedError


@dataclass
class Source:
    """Some rows, or an input that is refused."""

    name: str
    rows: int = 0
    fault: str = ""

    def digest(self):
        return self.name

    def read(self, *_):
        if self.fault:
            raise DataRefusedError(self.fault)
        yield Rows(self.name, 1, make_published_events(self.rows).features, None, {})


@pytest.fixture
def score(tmp_path):
    model = str(write_onnx(tmp_path / "m.onnx"))

    def run(*sources, model=model):
        tasks = [ScoreTask(s, f"{tmp_path}/out/{s.name}.parquet", model, model) for s in sources]
        (tmp_path / "out").mkdir()
        return score_on_beam(beam.Pipeline(), tasks, str(tmp_path / "staging"))

    return run


@pytest.mark.slow
def test_results_keep_the_order_of_their_tasks(score):
    results = score(Source("b", 5), Source("c", 6), Source("a", 7))
    assert results == [(5, 0, False, "b"), (6, 0, False, "c"), (7, 0, False, "a")]


@pytest.mark.slow
def test_the_first_refused_input_is_named_and_the_others_are_counted(score):
    with pytest.raises(DataRefusedError, match=r"^b is bad\n\(2 of 3 inputs were refused\)$"):
        score(Source("a", 5), Source("b", fault="b is bad"), Source("c", fault="c is bad"))


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded_is_an_error_of_scoring(score):
    with pytest.raises(ScoringError, match=r"no\.onnx cannot be loaded as an ONNX model"):
        score(Source("a", fault="a is bad"), Source("b", 5), model="no.onnx")
