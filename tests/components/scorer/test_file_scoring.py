from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from event_makers import make_published_events
from pyarrow import parquet as pq
from score_models import expected_scores, write_onnx

from components.scorer import file_scoring
from components.scorer.file_scoring import Rows, ScoreTask, ScoringError, score_file
from components.scorer.model_runtime import UnusableModelError
from formats.errors import DataRefusedError
from formats.scores import read_footer

EVENTS = make_published_events(40_000, seed=3).features


@dataclass
class Source:
    """Rows in parts of some sizes; counts how often it was read."""

    sizes: tuple[int, ...] = (5, 30_000, 9_995)
    content: str = "content"
    invalid: tuple[int, ...] = ()
    error: Exception | None = None
    reads: list = field(default_factory=list)
    name: str = "x.tfrecord"

    def digest(self):
        return self.content

    def read(self, digest, on_read):
        self.reads.append(digest)
        start = 0
        for size in self.sizes:
            reasons = None
            if self.invalid:
                numbers = range(start, start + size)
                reasons = np.array(["bad" if i in self.invalid else None for i in numbers], object)
            columns = {"weight": pa.array(np.arange(start, start + size) / 2)}
            features = EVENTS[start : start + size]
            yield Rows("x.tfrecord", start + 1, features, reasons, columns)
            start += size
            on_read(start)
        if self.error:
            raise self.error


@pytest.fixture
def task(tmp_path):
    model = str(write_onnx(tmp_path / "m.onnx"))

    def make(source, **changes):
        arguments = {"output": f"{tmp_path}/out/x.parquet", "model": model}
        return ScoreTask(source=source, **{**arguments, "model_sha256": "m", **changes})

    return make


def test_every_row_is_scored_in_order(task, tmp_path):
    seen = []
    result = score_file(task(Source()), lambda *progress: seen.append(progress))

    table = pq.read_table(tmp_path / "out" / "x.parquet")
    assert result == (40_000, 0, False, "content")
    assert table.column_names == ["file", "row", "signal_probability", "weight"]
    assert table["row"].to_pylist() == list(range(1, 40_001))
    assert set(table["file"].to_pylist()) == {"x.tfrecord"}
    np.testing.assert_allclose(table["signal_probability"], expected_scores(EVENTS), rtol=1e-5)
    np.testing.assert_array_equal(table["weight"], np.arange(40_000) / 2)
    assert [written for _, written in seen] == [30_005, 40_000]


def test_an_output_folder_need_not_be_utf8(task, tmp_path):
    output = f"{tmp_path}/\udcff/x.parquet"
    assert score_file(task(Source(), output=output)) == (40_000, 0, False, "content")
    with Path(output).open("rb") as file:
        assert pq.read_metadata(file).num_rows == 40_000


def test_the_model_never_gets_more_than_a_batch(task, monkeypatch):
    sizes = []

    def model(features):
        sizes.append(len(features))
        return np.full(len(features), 0.5, np.float32)

    monkeypatch.setattr(file_scoring, "loaded_model", lambda *_: model)
    score_file(task(Source()))
    assert max(sizes) == file_scoring.BATCH_ROWS
    assert sum(sizes) == 40_000


def test_invalid_rows_have_no_score_and_a_reason(task, tmp_path):
    invalid = (0, 7, 39_999)
    result = score_file(task(Source(invalid=invalid)))

    table = pq.read_table(tmp_path / "out" / "x.parquet")
    assert (result.rows, result.flagged) == (40_000, 3)
    scores, reasons = table["signal_probability"].to_pylist(), table["reason"].to_pylist()
    assert [i for i, score in enumerate(scores) if score is None] == list(invalid)
    assert [i for i, reason in enumerate(reasons) if reason] == list(invalid)
    assert scores[8] == pytest.approx(expected_scores(EVENTS)[8], rel=1e-5)


def test_an_unchanged_input_is_not_read_again(task):
    source = Source(invalid=(2,))
    assert not score_file(task(source)).is_reused
    assert score_file(task(source)) == (40_000, 1, True, "content")
    assert len(source.reads) == 1


@pytest.mark.parametrize(
    "change",
    [{"source": Source(content="other")}, {"model_sha256": "n"}, {"options": "columns"}],
)
def test_another_input_model_or_option_is_scored_again(task, change):
    score_file(task(Source()))
    source = change.get("source", Source())
    others = {key: value for key, value in change.items() if key != "source"}
    assert not score_file(task(source, **others)).is_reused
    assert len(source.reads) == 1


def test_an_output_that_only_exists_is_scored_again(task, tmp_path):
    task_ = task(Source())
    score_file(task_)
    path = tmp_path / "out" / "x.parquet"
    pq.write_table(pq.read_table(path), path)  # the same rows, without the key of their input
    table = pq.read_table(path).replace_schema_metadata({})
    pq.write_table(table, path)
    assert not score_file(task_).is_reused


def test_a_stream_is_never_reused(task):
    score_file(task(Source(content="")))
    assert not score_file(task(Source(content=""))).is_reused


@pytest.mark.parametrize("error", [DataRefusedError("x: line 7"), OSError(5, "input/output")])
def test_a_failure_leaves_nothing_or_what_was_there(task, tmp_path, error):
    with pytest.raises(type(error), match=error.args[-1]):
        score_file(task(Source(error=error)))
    assert not list((tmp_path / "out").iterdir())

    score_file(task(Source()))
    before = (tmp_path / "out" / "x.parquet").read_bytes()
    with pytest.raises(type(error)):
        score_file(task(Source(content="other", error=error)))
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["x.parquet"]
    assert (tmp_path / "out" / "x.parquet").read_bytes() == before


@pytest.mark.parametrize("wrong", [np.nan, 1.5, -0.1])
def test_a_model_with_scores_that_are_not_probabilities_is_refused(
    task, monkeypatch, tmp_path, wrong
):
    def model(features):
        return np.full(len(features), wrong, np.float32)

    monkeypatch.setattr(file_scoring, "loaded_model", lambda *_: model)
    with pytest.raises(UnusableModelError, match=f"gave the score {wrong:g} for .* x.tfrecord"):
        score_file(task(Source()))
    assert not list((tmp_path / "out").iterdir())


def test_a_model_that_loses_events_is_refused(task, monkeypatch):
    monkeypatch.setattr(file_scoring, "loaded_model", lambda *_: lambda f: f[1:, 0] * 0)
    with pytest.raises(UnusableModelError, match=r"gave \d+ scores for \d+ valid events"):
        score_file(task(Source()))


def test_rows_lost_by_the_storage_are_detected(task, monkeypatch):
    monkeypatch.setattr(
        file_scoring,
        "read_footer",
        lambda path: (f := read_footer(path)) and f._replace(rows=39_999),
    )
    with pytest.raises(ScoringError, match=r"has 39,999 rows, 0 of them .* but 40,000 and 0"):
        score_file(task(Source()))


def test_an_input_without_rows_has_an_output_without_rows(task, tmp_path):
    assert score_file(task(Source(sizes=()))) == (0, 0, False, "content")
    assert pq.read_table(tmp_path / "out" / "x.parquet").num_rows == 0
