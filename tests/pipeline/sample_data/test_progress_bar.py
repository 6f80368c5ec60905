import io
from functools import partial

import pytest
from rich.console import Console

from pipeline.sample_data import progress_bar
from pipeline.sample_data.progress_bar import progress


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("activity", ["converting [v1].csv", "converting [/b].csv", "a :smile: b"])
def test_activity_is_shown_without_markup(monkeypatch, terminal, activity):
    screen = io.StringIO()
    console = partial(Console, file=screen, width=100, force_terminal=terminal)
    monkeypatch.setattr(progress_bar, "Console", console)
    monkeypatch.setattr(progress_bar, "_SECONDS_BETWEEN_LINES", 0)

    with progress(activity, 10) as on_progress:
        on_progress(5)

    assert activity in screen.getvalue()
    if not terminal:
        assert screen.getvalue() == f"{activity}: 50%\n"
