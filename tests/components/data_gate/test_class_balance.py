import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.data_gate.class_balance import ClassBalance, count_classes, find_imbalances, p_value


def counts(events, share):
    return ClassBalance(events, round(events * share))


def test_an_unshuffled_file_is_refused_with_both_shares():
    [problem] = find_imbalances({"train": counts(3000, 0.617), "eval": counts(1000, 0.275)})
    assert problem.startswith("train and eval: 61.7% of 3000 events are signal in train, and 27.5%")
    assert "shuffle the events" in problem


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (counts(10_500_000, 0.5300), counts(500_000, 0.5399)),  # not by chance, but below the
        # tolerance
        (counts(80, 0.5), counts(20, 0.8)),  # possible by chance in so few events
        (ClassBalance(10_000, 100), ClassBalance(10, 2)),
        (counts(100, 0.5), ClassBalance(0, 0)),
    ],
)
def test_small_and_accidental_differences_are_accepted(first, second):
    assert list(find_imbalances({"train": first, "eval": second})) == []


@pytest.mark.slow
@pytest.mark.parametrize("events", [(60, 40), (3000, 1000), (900_000, 100_000)])
def test_splits_of_one_population_are_never_refused_in_a_thousand_draws(events):
    rng = np.random.default_rng(0)
    for train, evaluation in zip(*(rng.binomial(n, 0.53, 1000) for n in events), strict=True):
        splits = {
            "train": ClassBalance(events[0], int(train)),
            "eval": ClassBalance(events[1], int(evaluation)),
        }
        assert list(find_imbalances(splits)) == []


def test_a_difference_that_few_events_resolve_is_refused():
    # Fisher's exact test: 2.6e-5.
    assert len(list(find_imbalances({"train": counts(600, 0.53), "eval": counts(300, 0.38)}))) == 1


@pytest.mark.parametrize("shares", [(0.53, 0.5401), (0.5401, 0.53)])
def test_a_difference_above_the_tolerance_is_refused_in_either_direction(shares):
    splits = dict(zip(("train", "eval"), (counts(500_000, x) for x in shares), strict=True))
    assert len(list(find_imbalances(splits))) == 1


def test_pairs_of_three_splits_share_the_probability_of_a_false_refusal():
    # 5.9e-5 is below the limit for one pair, and above a third of it.
    pair = {"train": counts(1000, 0.53), "eval": counts(1000, 0.44)}
    assert 1e-4 / 3 < p_value(*pair.values()) < 1e-4
    assert len(list(find_imbalances(pair))) == 1
    assert list(find_imbalances(pair | {"test": counts(1000, 0.485)})) == []
    # A split without events is in no pair.
    assert len(list(find_imbalances(pair | {"test": ClassBalance(0, 0)}))) == 1
    # The smallest of two equal ones is accepted, and so is the second, although it is below half.
    equal = {"train": counts(1000, 0.53), "eval": counts(1000, 0.437), "test": counts(1000, 0.437)}
    assert 1e-4 / 3 < p_value(equal["train"], equal["test"]) < 1e-4 / 2
    assert list(find_imbalances(equal)) == []
    # The second smallest has half of it, after the first.
    sorted_by_class = pair | {"test": counts(1000, 0.1)}
    found = [problem.partition(":")[0] for problem in find_imbalances(sorted_by_class)]
    assert found == ["train and test", "eval and test", "train and eval"]


def test_the_probability_is_that_of_fishers_exact_test():
    # 8 of 10 against 1 of 6: scipy.stats.fisher_exact, one-sided 0.02448.
    assert p_value(ClassBalance(10, 8), ClassBalance(6, 1)) == pytest.approx(2 * 0.024476, rel=1e-3)
    assert p_value(ClassBalance(10, 5), ClassBalance(10, 5)) == 1.0


def test_classes_are_counted_from_the_mean_of_the_label():
    statistics = statistics_pb2.DatasetFeatureStatistics()
    label = statistics.features.add()
    label.path.step.append("label")
    label.num_stats.mean = 0.29  # times 100 it is slightly below 29
    label.num_stats.common_stats.num_non_missing = 100
    assert count_classes(statistics) == ClassBalance(100, 29)
    assert count_classes(statistics_pb2.DatasetFeatureStatistics()) == ClassBalance(0, 0)
