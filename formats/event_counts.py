"""Comparison of the number of events that a node reads with the number that ingestion recorded."""


class EventCountError(RuntimeError):
    """A node did not find as many events as ingestion wrote."""


def check_events(split: str, found: int, ingested: int, location: str) -> None:
    """Compares the number of events in the files of a split with ingestion's.

    Args:
        split: the split's name.
        found: number of events in the files.
        ingested: number of events that ingestion recorded.
        location: where the files are.

    Raises:
        EventCountError: the numbers differ.
    """
    if found != ingested:
        change = "deleted or cut short" if found < ingested else "added"
        raise EventCountError(
            f"split {split}: found {found:,} events in {location}, but ingestion wrote "
            f"{ingested:,}; files were {change} since: run again, and where an engine caches "
            "nodes, without the cached ingestion"
        )
