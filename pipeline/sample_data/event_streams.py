"""Streams of events in chunks: cut to size, and split without holding all events in memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from formats.published.record import Events


def cut(chunks: Iterable[Events], size: int) -> Iterator[tuple[int, Events]]:
    """Cuts chunks after every ``size`` events.

    Yields:
        The index of the part, and its next events.
    """
    count = 0
    for chunk in chunks:
        start = 0
        while start < len(chunk.labels):
            part, filled = divmod(count, size)
            piece = select(chunk, slice(start, start + size - filled))
            yield part, piece
            start += len(piece.labels)
            count += len(piece.labels)


def select(events: Events, rows: slice | NDArray[np.bool_]) -> Events:
    """Selects some of the events; other tuples of arrays with as many rows stay what they are.

    >>> import numpy as np
    >>> select(Events(np.ones((3, 28)), np.array([0, 1, 1])), slice(1)).labels.tolist()
    [0]
    """
    return type(events)(*(array[rows] for array in events))


def split_by(
    chunks: Iterable[Events], is_second: Callable[[Events], NDArray[np.bool_]]
) -> tuple[Iterator[Events], Iterator[Events]]:
    """Splits a stream by a rule for each event; the second part is held in memory.

    Args:
        chunks: events in order.
        is_second: tells which events are in the second part, bool [N].

    Returns:
        The first part and the second; the first must be consumed before the second.
    """
    buffered: deque[Events] = deque()

    def head() -> Iterator[Events]:
        for chunk in chunks:
            second = is_second(chunk)
            buffered.append(select(chunk, second))
            yield select(chunk, ~second)

    return head(), _drained(buffered)


def split_last(
    chunks: Iterable[Events], count_last: Callable[[int], int]
) -> tuple[Iterator[Events], Iterator[Events]]:
    """Splits off the last events of a stream of unknown length.

    Args:
        chunks: events in order.
        count_last: the number of events to split off, by the total number. One more event must
            not increase it by more than one. No more than these events, and one chunk, are held
            in memory.

    Returns:
        The events before, and the last ones; the first must be consumed before the second.
    """
    buffered: deque[Events] = deque()

    def head() -> Iterator[Events]:
        total = pending = 0
        for chunk in chunks:
            buffered.append(chunk)
            total, pending = total + len(chunk.labels), pending + len(chunk.labels)
            while buffered and pending - len(buffered[0].labels) >= count_last(total):
                pending -= len(buffered[0].labels)
                yield buffered.popleft()
        if (surplus := pending - count_last(total)) > 0:
            first = buffered.popleft()
            buffered.appendleft(select(first, slice(surplus, None)))
            yield select(first, slice(surplus))

    return head(), _drained(buffered)


def _drained(buffered: deque[Events]) -> Iterator[Events]:
    while buffered:
        yield buffered.popleft()
