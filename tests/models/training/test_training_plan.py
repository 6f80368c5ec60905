import logging

import numpy as np
import pytest
import tensorflow as tf

from formats.hyperparameters import resolve
from formats.training_record import StrategyRecord
from models.training.training_plan import (
    SIZES,
    CosineSchedule,
    SizedHyperparameters,
    global_batch_size,
    peak_learning_rate,
    plan_training,
    size_hyperparameters,
    steps_per_block,
)

OPEN = {name for name, value in resolve("default").model_dump().items() if value is None}


def size(events, preset="default", **overrides):
    return size_hyperparameters(resolve(preset, **overrides), events)


def test_every_open_hyperparameter_has_a_size():
    never_sized = {"learning_rate_batch", "early_stopping_patience"}
    assert set(SIZES) == OPEN - never_sized
    assert {len(values) for values in SIZES.values()} == {3}


@pytest.mark.parametrize(
    ("events", "units", "blocks"),
    [(1, 256, 2), (100_000, 256, 2), (100_001, 512, 3), (10_500_000, 512, 3)],
)
def test_the_network_grows_with_the_events(events, units, blocks):
    assert (size(events).units, size(events).blocks) == (units, blocks)


def test_regularization_decreases_with_the_events():
    sizes = [size(events) for events in (30_000, 1_000_000, 10_500_000)]
    for name in ("dropout", "weight_decay"):
        values = [getattr(hyperparameters, name) for hyperparameters in sizes]
        assert values == sorted(values, reverse=True)
        assert len(set(values)) == 3


@pytest.mark.parametrize("preset", ["demo", "kaggle"])
def test_chosen_hyperparameters_are_not_resized(preset):
    chosen = resolve(preset).model_dump(exclude_none=True)
    values = size(10_000_000, preset).model_dump()
    assert {name: values[name] for name in chosen} == chosen


def test_a_null_that_means_never_stays_null():
    hyperparameters = size(1000, "kaggle")
    assert isinstance(hyperparameters, SizedHyperparameters)
    assert hyperparameters.learning_rate_batch is None


def test_the_plan_has_batch_size_learning_rate_and_precision():
    hyperparameters = size(10_000, "demo", learning_rate=1e-3, precision="bfloat16")
    tpu = StrategyRecord(kind="tpu", replicas=8, devices=("TPU:0",) * 8)
    plan = plan_training(10_000, hyperparameters, 1, tpu)
    assert (plan.batch_size, plan.steps_per_epoch, plan.policy) == (4096, 2, "mixed_bfloat16")
    assert plan.peak_learning_rate == pytest.approx(1e-3 * 4)


@pytest.mark.parametrize(
    ("events", "per_replica", "replicas", "expected"),
    [(100, 10, 1, 10), (100, 10, 8, 80), (100, 2048, 1, 100), (100, 2048, 8, 96), (8, 4, 8, 8)],
)
def test_the_global_batch_fits_the_events(events, per_replica, replicas, expected):
    assert global_batch_size(events, per_replica, replicas) == expected


def test_a_smaller_batch_is_logged(caplog):
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        global_batch_size(100, 2048, 8)
    assert caplog.messages == ["only 100 training events: 12 per replica and step"]


def test_fewer_events_than_replicas_are_rejected():
    with pytest.raises(ValueError, match="7 training events cannot feed 8 replicas"):
        global_batch_size(7, 2048, 8)


def test_the_learning_rate_rises_then_falls_to_zero():
    schedule = CosineSchedule(0.4, 100)
    assert float(schedule(0)) == 0
    assert float(schedule(5)) == pytest.approx(0.4)
    middle = 5 + 95 // 2
    assert float(schedule(middle)) == pytest.approx(0.2, abs=0.01)
    assert float(schedule(100)) == pytest.approx(0, abs=1e-8)


@pytest.mark.slow
def test_a_traced_schedule_follows_its_new_length():
    schedule = CosineSchedule(0.4, 100)
    traced = tf.function(schedule)
    before = float(traced(tf.constant(60)))
    schedule.set_steps(200)
    assert float(traced(tf.constant(120))) == pytest.approx(before, rel=0.02)
    assert float(traced(tf.constant(10))) == pytest.approx(0.4)
    assert traced.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(("window", "steps_per_block"), [(None, 11), (400, 2)])
def test_the_plan_of_a_refit_has_more_steps_with_the_same_batch_and_rate(
    make_plan, window, steps_per_block
):
    options = {"steps_per_execution": 2, "early_stopping_patience": 3, "profile_steps": 5}
    plan = make_plan(1000, window=window, batch_size_per_replica=100, epochs=9, **options)
    again = plan.for_refit(1199, epochs=4)
    assert (plan.steps_per_epoch, again.steps_per_epoch) == (10, 11)
    assert again.steps_per_block == steps_per_block
    kept = ("batch_size", "peak_learning_rate", "seed", "policy", "is_in_memory")
    assert all(getattr(again, name) == getattr(plan, name) for name in kept)
    changes = {"epochs": 4, "early_stopping_patience": None, "profile_steps": 0}
    assert again.hyperparameters == plan.hyperparameters.model_copy(update=changes)


@pytest.mark.parametrize("steps", [1, 2])
def test_the_shortest_trainings_have_a_finite_learning_rate(steps):
    schedule = CosineSchedule(0.1, steps)
    assert all(np.isfinite(float(schedule(step))) for step in range(steps + 1))


@pytest.mark.parametrize(("batch", "expected"), [(256, 2e-3), (1024, 4e-3), (64, 1e-3)])
def test_the_learning_rate_grows_with_the_root_of_the_batch(batch, expected):
    hyperparameters = resolve("default", learning_rate=2e-3, learning_rate_batch=256)
    assert peak_learning_rate(hyperparameters, batch) == pytest.approx(expected)


def test_the_learning_rate_is_constant_without_a_batch():
    hyperparameters = resolve("default", learning_rate=2e-3, learning_rate_batch=None)
    assert peak_learning_rate(hyperparameters, 8192) == 2e-3


@pytest.mark.parametrize("multiple", [1, 10])
@pytest.mark.parametrize("window", [1, 17, 60, 99, 1000])
def test_blocks_are_equal_and_two_of_them_fit_the_window(window, multiple):
    size = steps_per_block(100, window, multiple)
    assert size % multiple == 0
    assert 2 * size <= max(window + multiple, 2 * multiple)
    blocks = -(-100 // size)
    assert 100 - (blocks - 1) * size > size - multiple * blocks


def test_without_a_window_an_epoch_is_one_block(make_plan):
    plan = make_plan(10_000)
    assert plan.is_in_memory
    assert plan.events_in_memory(10_000) == 10_000
    windowed = make_plan(10_000, window=4000, batch_size_per_replica=100)
    assert (windowed.steps_per_block, windowed.events_in_memory(10_000)) == (20, 4000)
