"""The messages about missing events; their callers are tested with each node."""

import pytest

from formats.event_counts import EventCountError, check_counted, check_events


def test_equal_numbers_pass():
    check_events("train", found=4800, ingested=4800, location="/examples/1/Split-train")


@pytest.mark.parametrize(
    ("found", "change"), [(1000, "deleted or cut short"), (0, "deleted"), (4801, "added since")]
)
def test_other_numbers_name_split_place_both_numbers_and_the_remedy(found, change):
    with pytest.raises(EventCountError) as error:
        check_events("train", found=found, ingested=4800, location="/examples/1/Split-train")
    message = str(error.value)
    assert message.startswith(
        f"split train: found {found:,} events in /examples/1/Split-train, but ingestion wrote 4,800"
    )
    assert change in message
    assert "run again" in message
    assert "Beam" not in message


def test_equal_counts_pass():
    check_counted("Evaluator", 2000, 2000)


@pytest.mark.parametrize("counted", [None, 0, 1999, 2001])
def test_other_counts_name_the_node_both_counts_and_the_remedy(counted):
    with pytest.raises(EventCountError) as error:
        check_counted("Evaluator", counted, 2000)
    assert f"Evaluator counted {counted} of 2000 events" in str(error.value)
    assert "run again, and if it happens again, with another runner in beam.args" in str(
        error.value
    )
