from itertools import pairwise

import numpy as np
import pytest
from event_makers import join_events, make_events, same_events, select
from hypothesis import given
from hypothesis import strategies as st

from pipeline.intake.conversion import conventional_validation_rows
from pipeline.sample_data.event_streams import split_last


@pytest.mark.slow
@given(st.lists(st.integers(0, 9), max_size=12), st.one_of(st.none(), st.integers(0, 40)))
def test_split_last_yields_the_last_events(sizes, fixed):
    events = make_events(sum(sizes))
    last = conventional_validation_rows if fixed is None else lambda _: fixed
    ends = np.cumsum([0, *sizes])
    chunks = (select(events, slice(start, end)) for start, end in pairwise(ends))

    head, tail = map(join_events, split_last(chunks, last))

    assert len(tail.labels) == min(last(sum(sizes)), sum(sizes))
    assert same_events(join_events([head, tail]), events)
