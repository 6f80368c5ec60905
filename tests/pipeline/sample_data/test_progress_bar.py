import io
from functools import partial

import pytest
from rich.console import Console

from pipeline.sample_data import progress_bar
from pipeline.sample_data.progress_bar import progress


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("what", ["converting [v1].csv", "converting [/b].csv", "a :smile: b"])
def test_what_is_done_is_shown_as_it_is(monkeypatch, terminal, what):
    screen = io.StringIO()
    console = partial(Console, file=screen, width=100, force_terminal=terminal)
    monkeypatch.setattr(progress_bar, "Console", console)
    monkeypatch.setattr(progress_bar, "_SECONDS_BETWEEN_LINES", 0)

    with progress(what, 10) as done:
        done(5)

    assert what in screen.getvalue()
    if not terminal:
        assert screen.getvalue() == f"{what}: 50%\n"
