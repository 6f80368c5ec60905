from itertools import pairwise

import numpy as np
from event_makers import in_chunks, join_events, make_events, same_events, select
from hypothesis import given
from hypothesis import strategies as st

from pipeline.intake.conversion import conventional_validation_rows
from pipeline.sample_data.event_streams import split_first, split_last


@given(st.integers(0, 40), st.integers(1, 15), st.integers(0, 45))
def test_split_first_yields_the_first_and_the_others(count, chunk, first):
    events = make_events(count)

    head, tail = map(join_events, split_first(in_chunks(events, chunk), first))

    assert len(head.labels) == min(first, count)
    assert same_events(join_events([head, tail]), events)


@given(st.lists(st.integers(0, 9), max_size=12), st.one_of(st.none(), st.integers(0, 40)))
def test_split_last_yields_the_last_events(sizes, fixed):
    events = make_events(sum(sizes))
    last = conventional_validation_rows if fixed is None else lambda _: fixed
    ends = np.cumsum([0, *sizes])
    chunks = (select(events, slice(start, end)) for start, end in pairwise(ends))

    head, tail = map(join_events, split_last(chunks, last))

    assert len(tail.labels) == min(last(sum(sizes)), sum(sizes))
    assert same_events(join_events([head, tail]), events)
