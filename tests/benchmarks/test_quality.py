import dataclasses
from functools import partial

import numpy as np
import pytest

from benchmarks import quality, quality_results
from benchmarks.measurement import Measure, Sense
from benchmarks.quality import run
from benchmarks.quality_models import Models, Train
from benchmarks.quality_results import measurements, table
from benchmarks.quality_samples import Sample
from models.event_table import Array, EventTable

MEASURE = Measure("quality", "AUC", 1.0, Sense.AT_LEAST)


def events(*values: float) -> EventTable:
    features = np.array(values, np.float32).reshape(-1, 1)
    return EventTable(features, (features > 0.5).astype(np.float32))


SAMPLE = Sample("4 events", events(0.1, 0.9), events(0.2, 0.8), events(0.3, 0.4, 0.6, 0.7))

Trainings = list[tuple[str, int]]


@pytest.fixture
def trainings(tmp_path, monkeypatch) -> Trainings:
    """The model and the seed of each training; results are saved in a temporary folder."""
    monkeypatch.setattr(quality_results, "RESULTS_FILE", tmp_path / "out" / "quality.jsonl")
    return []


def models(trainings: Trainings, **scales: float) -> Models:
    """Models that score an event by its only feature times a scale."""

    def prepare(name: str, scale: float, sample: Sample) -> Train:
        def train(seed: int) -> tuple[Array, float]:
            trainings.append((name, seed))
            return 0.5 + scale * (sample.test.features[:, 0] - 0.5), 2.0

        return train

    return {name: partial(prepare, name, scale) for name, scale in scales.items()}


@pytest.mark.parametrize("seeds", ["0", "-1"])
def test_less_than_one_seed_is_bad_usage(monkeypatch, capsys, seeds):
    monkeypatch.setattr("sys.argv", ["quality", f"--seeds={seeds}"])
    with pytest.raises(SystemExit) as stop:
        quality.main()
    assert stop.value.code == 2
    assert f"--seeds {seeds}: give at least 1" in capsys.readouterr().err


def test_each_model_is_tested_on_the_test_events(trainings):
    right, wrong = run(SAMPLE, 1, models(trainings, right=1.0, wrong=-1.0))
    assert (right.model, right.seed, right.seconds) == ("right", 1, 2.0)
    assert (right.quality.auc, wrong.quality.auc) == (1.0, 0.0)


def test_a_second_run_trains_only_missing_models(trainings):
    both = models(trainings, first=1.0, second=-1.0)
    one_seed = run(SAMPLE, 1, both)
    two_seeds = run(SAMPLE, 2, both)
    assert trainings == [("first", 1), ("second", 1), ("first", 2), ("second", 2)]
    keys = [(result.model, result.seed) for result in two_seeds]
    assert keys == [("first", 1), ("first", 2), ("second", 1), ("second", 2)]
    assert one_seed == [two_seeds[0], two_seeds[2]]


def test_results_before_an_error_are_kept(trainings):
    def broken(sample: Sample) -> Train:
        raise MemoryError

    with pytest.raises(MemoryError):
        run(SAMPLE, 1, {**models(trainings, first=1.0), "second": broken})
    assert len(run(SAMPLE, 1, models(trainings, first=1.0, second=1.0))) == 2
    assert trainings == [("first", 1), ("second", 1)]


def test_models_can_be_trained_one_by_one(trainings):
    both = models(trainings, first=1.0, second=-1.0)
    only_second = run(SAMPLE, 1, both, only=["second"])
    assert [result.model for result in only_second] == ["second"]
    then_first = run(SAMPLE, 1, both, only=["first"])
    assert [result.model for result in then_first] == ["first", "second"]
    assert trainings == [("second", 1), ("first", 1)]


def test_other_events_are_trained_again(trainings):
    first = models(trainings, first=1.0)
    run(SAMPLE, 1, first)
    run(dataclasses.replace(SAMPLE, validation=events(0.2, 0.9)), 1, first)
    assert trainings == [("first", 1), ("first", 1)]


def test_ours_is_compared_with_the_best_peer(trainings):
    results = run(SAMPLE, 1, models(trainings, default=1.0, poor=-1.0, good=1.0))
    (compared,) = measurements(MEASURE, results, 1, peers=["poor", "good"])
    assert (compared.ours_runs, compared.peer_runs, compared.sizes) == ((1.0,), (1.0,), "4 events")
    (alone,) = measurements(MEASURE, results, 1)
    assert (alone.ours, alone.peer) == (1.0, None)


@pytest.mark.parametrize("missing", ["default", "good"])
def test_nothing_is_measured_while_a_model_is_missing(trainings, missing):
    results = run(SAMPLE, 1, models(trainings, default=1.0, good=1.0))
    others = [result for result in results if result.model != missing]
    assert measurements(MEASURE, others, 1, peers=["good"]) == []


def test_nothing_is_measured_while_a_seed_is_missing(trainings):
    both = models(trainings, default=1.0, good=1.0)
    run(SAMPLE, 1, both)
    incomplete = run(SAMPLE, 2, both, only=["default"])
    assert measurements(MEASURE, incomplete, 2, peers=["good"]) == []
    assert len(measurements(MEASURE, run(SAMPLE, 2, both), 2, peers=["good"])) == 1


def test_the_table_has_mean_and_standard_deviation(trainings):
    results = run(SAMPLE, 2, models(trainings, first=-1.0))
    header, _, row = table(results).splitlines()
    assert header.startswith("| sample | model | auc |")
    assert row.startswith("| 4 events | first | 0.0000 ± 0.0000 |")
    assert row.endswith("| 2 |")
