import pytest

from benchmarks.measurement import (
    Measure,
    Measurement,
    Sense,
    compare,
    compare_with_slow_peer,
    rate,
    seconds,
    take_turns,
)

FASTER = Measure("ingestion", "events/s", 25, Sense.AT_LEAST)
SHORT = Measure("demo_overhead", "s", 60, Sense.AT_MOST)


def test_median_and_ratio():
    measurement = Measurement(FASTER, (90.0, 300.0, 100.0), (4.0, 2.0, 50.0))
    assert (measurement.ours, measurement.peer, measurement.ratio) == (100.0, 4.0, 25.0)


def test_without_a_peer_there_is_no_ratio():
    measurement = Measurement(SHORT, (40.0, 50.0, 70.0))
    assert (measurement.ours, measurement.peer, measurement.ratio) == (50.0, None, None)


@pytest.mark.parametrize(("ours", "met"), [(49.9, False), (50.0, True), (51.0, True)])
def test_a_ratio_at_or_above_a_minimum_meets_the_goal(ours, met):
    assert Measurement(FASTER, (ours,), (2.0,)).met is met


@pytest.mark.parametrize(("ours", "met"), [(59.0, True), (60.0, True), (60.1, False)])
def test_seconds_at_or_below_a_maximum_meet_the_goal(ours, met):
    assert Measurement(SHORT, (ours,)).met is met


def test_a_ratio_at_or_below_a_maximum_meets_the_goal():
    growth = Measure("full_run_growth", "s/event", 1.1, Sense.AT_MOST)
    assert Measurement(growth, (1.1,), (1.0,)).met
    assert not Measurement(growth, (1.2,), (1.0,)).met


def test_a_record_has_the_published_keys():
    assert Measurement(FASTER, (100.0,), (2.0,), sizes="some").record() == {
        "name": "ingestion",
        "unit": "events/s",
        "ours": 100.0,
        "peer": 2.0,
        "ratio": 50.0,
        "goal": 25,
        "met": True,
    }


def test_sides_take_turns():
    order = []

    def side(name):
        return lambda: order.append(name) or float(len(order))

    assert take_turns(side("ours"), side("peer"), runs=2) == [(1.0, 3.0), (2.0, 4.0)]
    assert order == ["ours", "peer", "ours", "peer"]


def test_compare_runs_each_side_three_times():
    measurement = compare(FASTER, ours=lambda: 50.0, peer=lambda: 2.0, sizes="few")
    assert measurement == Measurement(FASTER, (50.0,) * 3, (2.0,) * 3, "few")


def test_the_constant_cost_of_a_slow_peer_does_not_count():
    # 2 s, and 10 ms per event; the first run is slowed down.
    first_rates = iter([1000 / 20.0, 1000 / 12.0])
    sides = {1000: lambda: next(first_rates), 5000: lambda: 5000 / 52.0}
    measurement = compare_with_slow_peer(
        FASTER, lambda: 2500.0, sides.__getitem__, events=10**6, sample=5000
    )
    assert measurement.ratio == pytest.approx(25)
    assert measurement.sizes == "1,000,000 events, peer 5,000 of them"


@pytest.mark.slow
def test_seconds_and_rate_time_only_the_work(monkeypatch):
    clock = iter([10.0, 12.5, 20.0, 22.5])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    assert seconds(lambda: None) == 2.5
    assert rate(100, lambda: None) == 40.0
