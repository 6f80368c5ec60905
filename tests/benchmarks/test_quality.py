from functools import partial

import numpy as np
import pytest

from benchmarks import quality
from benchmarks.harness import Measure, Sense
from benchmarks.quality import (
    TEST_ROWS,
    Model,
    Models,
    Sample,
    measurements,
    real_sample,
    run,
    table,
)
from models.event_table import Array, Events

MEASURE = Measure("quality", "AUC", 1.0, Sense.AT_LEAST)


def events(*values: float) -> Events:
    features = np.array(values, np.float32).reshape(-1, 1)
    return Events(features, (features > 0.5).astype(np.float32))


SAMPLE = Sample("4 events", events(0.1, 0.9), events(0.2, 0.8), events(0.3, 0.4, 0.6, 0.7))

Trained = list[tuple[str, int]]


@pytest.fixture
def trained(tmp_path, monkeypatch) -> Trained:
    """The trainings that were done; the benchmark's lines go to a folder of the test."""
    monkeypatch.setattr(quality, "LINES", tmp_path / "out" / "quality.jsonl")
    return []


def models(trained: Trained, **scales: float) -> Models:
    """Models that score an event by its only feature times something."""

    def prepared(name: str, scale: float, sample: Sample) -> Model:
        def train(seed: int) -> tuple[Array, float]:
            trained.append((name, seed))
            return 0.5 + scale * (sample.test.features[:, 0] - 0.5), 2.0

        return train

    return {name: partial(prepared, name, scale) for name, scale in scales.items()}


def test_test_rows_are_the_last_ones_and_validation_comes_out_of_those_before(tmp_path):
    rows = np.zeros([TEST_ROWS + 100, 29])
    rows[:, 1] = np.arange(len(rows))
    np.savetxt(tmp_path / "rows.csv", rows, delimiter=",", fmt="%g")
    sample = real_sample(tmp_path / "rows.csv")
    parts = [part.features[:, 0] for part in (sample.training, sample.validation, sample.test)]
    assert [len(part) for part in parts] == [92, 8, TEST_ROWS]
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(len(rows)))


def test_too_few_rows_are_refused(tmp_path):
    np.savetxt(tmp_path / "rows.csv", np.zeros([TEST_ROWS, 29]), delimiter=",", fmt="%g")
    with pytest.raises(ValueError, match=r"rows\.csv: 6,233 rows, of which the last 6,233"):
        real_sample(tmp_path / "rows.csv")


@pytest.mark.parametrize("seeds", ["0", "-1"])
def test_no_seed_is_bad_usage(monkeypatch, capsys, seeds):
    monkeypatch.setattr("sys.argv", ["quality", f"--seeds={seeds}"])
    with pytest.raises(SystemExit) as stop:
        quality.main()
    assert stop.value.code == 2
    assert f"--seeds {seeds}: give at least 1" in capsys.readouterr().err


def test_each_model_is_judged_on_the_test_events(trained):
    right, wrong = run(SAMPLE, 1, models(trained, right=1.0, wrong=-1.0))
    assert (right.model, right.seed, right.seconds) == ("right", 1, 2.0)
    assert (right.quality.auc, wrong.quality.auc) == (1.0, 0.0)


def test_a_second_run_trains_what_is_missing_alone(trained):
    known = models(trained, first=1.0, second=-1.0)
    before = run(SAMPLE, 1, known)
    after = run(SAMPLE, 2, known)
    assert trained == [("first", 1), ("second", 1), ("first", 2), ("second", 2)]
    assert [(line.model, line.seed) for line in after] == [
        *(("first", 1), ("first", 2)),
        *(("second", 1), ("second", 2)),
    ]
    assert before == [after[0], after[2]]


def test_what_was_judged_before_a_fault_is_kept(trained):
    def broken(sample: Sample) -> Model:
        raise MemoryError

    with pytest.raises(MemoryError):
        run(SAMPLE, 1, {**models(trained, first=1.0), "second": broken})
    assert len(run(SAMPLE, 1, models(trained, first=1.0, second=1.0))) == 2
    assert trained == [("first", 1), ("second", 1)]


def test_models_are_trained_one_by_one_and_shown_together(trained):
    known = models(trained, first=1.0, second=-1.0)
    assert [line.model for line in run(SAMPLE, 1, known, only=["second"])] == ["second"]
    assert [line.model for line in run(SAMPLE, 1, known, only=["first"])] == ["first", "second"]
    assert trained == [("second", 1), ("first", 1)]


def test_other_events_are_another_origin(trained):
    known = models(trained, first=1.0)
    run(SAMPLE, 1, known)
    other = Sample(SAMPLE.name, SAMPLE.training, events(0.2, 0.9), SAMPLE.test)
    run(other, 1, known)
    assert trained == [("first", 1), ("first", 1)]


def test_ours_is_held_against_the_best_peer(trained):
    found = run(SAMPLE, 1, models(trained, default=1.0, poor=-1.0, good=1.0))
    (measured,) = measurements(MEASURE, found, 1, peers=["poor", "good"])
    assert (measured.ours_runs, measured.peer_runs, measured.sizes) == ((1.0,), (1.0,), "4 events")
    (alone,) = measurements(MEASURE, found, 1)
    assert (alone.ours, alone.peer) == (1.0, None)


@pytest.mark.parametrize("absent", ["default", "good"])
def test_nothing_is_measured_while_a_model_is_missing(trained, absent):
    found = run(SAMPLE, 1, models(trained, default=1.0, good=1.0))
    rest = [line for line in found if line.model != absent]
    assert measurements(MEASURE, rest, 1, peers=["good"]) == []


def test_nothing_is_measured_while_a_seed_is_missing(trained):
    known = models(trained, default=1.0, good=1.0)
    run(SAMPLE, 1, known)
    found = run(SAMPLE, 2, known, only=["default"])
    assert measurements(MEASURE, found, 2, peers=["good"]) == []
    assert len(measurements(MEASURE, run(SAMPLE, 2, known), 2, peers=["good"])) == 1


def test_the_table_has_mean_and_spread(trained):
    lines = run(SAMPLE, 2, models(trained, first=-1.0))
    head, _, row = table(lines).splitlines()
    assert head.startswith("| sample | model | auc |")
    assert row.startswith("| 4 events | first | 0.0000 ± 0.0000 |")
    assert row.endswith("| 2 |")
