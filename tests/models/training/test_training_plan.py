import pytest

from formats.hyperparameters import resolve
from models.training.sizing import SIZES, SizedHyperparameters, sized

OPEN = {name for name, value in resolve("default").model_dump().items() if value is None}


def test_every_open_hyperparameter_has_a_size():
    settled = {"learning_rate_batch", "early_stopping_patience"}
    assert all(set(values) == OPEN - settled for _, values in SIZES)


@pytest.mark.parametrize(
    ("events", "units", "blocks"),
    [(1, 256, 2), (100_000, 256, 2), (100_001, 512, 3), (10_500_000, 1024, 4)],
)
def test_network_grows_with_the_events(events, units, blocks):
    found = sized(resolve("default"), events)
    assert (found.units, found.blocks) == (units, blocks)


def test_regularisation_falls_with_the_events():
    by_size = [sized(resolve("default"), events) for events in (30_000, 1_000_000, 10_500_000)]
    for name in ("dropout", "weight_decay"):
        values = [getattr(size, name) for size in by_size]
        assert values == sorted(values, reverse=True)
        assert len(set(values)) == 3


@pytest.mark.parametrize("preset", ["demo", "kaggle"])
def test_what_is_chosen_is_not_resized(preset):
    chosen = resolve(preset).model_dump(exclude_none=True)
    found = sized(resolve(preset), 10_000_000).model_dump()
    assert {name: found[name] for name in chosen} == chosen


def test_null_that_means_never_stays_null():
    found = sized(resolve("kaggle"), 1000)
    assert isinstance(found, SizedHyperparameters)
    assert found.learning_rate_batch is None
