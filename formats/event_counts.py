"""Comparisons of the numbers of events that nodes read or count with the number ingested."""


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


def check_counted(node: str, counted: int | None, ingested: int) -> None:
    """Compares the number of events in the result of a node on Beam with ingestion's.

    A runner that repeats a task after the loss of a worker may count events twice, or not at all.

    Args:
        node: the node's id.
        counted: number of events in the result; None if it has none.
        ingested: number of events that ingestion recorded.

    Raises:
        EventCountError: the numbers differ.
    """
    if counted != ingested:
        raise EventCountError(
            f"{node} counted {counted} of {ingested} events: the Beam runner lost or duplicated "
            "some, so the result must not be used; run again, and if it happens again, with "
            "another runner in beam.args"
        )
