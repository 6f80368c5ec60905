import gc

import pytest

from pipeline.cli.imports import without_collection


@pytest.fixture(autouse=True)
def _collection():
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collection_is_suspended_and_then_as_it_was(enabled):
    if not enabled:
        gc.disable()
    suspended = []

    def fail():
        with without_collection():
            suspended.append(not gc.isenabled())
            raise ImportError

    with pytest.raises(ImportError):
        fail()
    assert suspended == [True]
    assert gc.isenabled() == enabled


def test_what_was_created_is_not_searched_again_and_later_garbage_is_collected():
    with without_collection():
        kept = [[] for _ in range(1000)]
    assert gc.get_freeze_count() >= len(kept)
    searched = {id(item) for item in gc.get_objects()}
    assert not searched & {id(item) for item in kept}
    later = []
    later.append(later)
    del later
    assert gc.collect() >= 1
