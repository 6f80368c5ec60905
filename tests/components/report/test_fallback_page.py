from components.report.fallback_page import render_plain
from formats.run_outcome import RunOutcome


def test_verdict_and_reason_are_on_the_page(make, run_folder):
    text = render_plain(make.run(run_folder), ValueError("<b>"))
    assert '<h1 id="verdict">Pushed as version 17</h1>' in text
    assert "<p>AUC 0.8000 on 20,000 events; AUC 0.8000, at least 0.7000 needed</p>" in text
    assert "could not be drawn: ValueError: &lt;b&gt;." in text


def test_run_that_left_nothing_was_not_pushed():
    text = render_plain(RunOutcome("", {}), KeyError("\ud800"))
    assert '<h1 id="verdict">Not pushed</h1>' in text
    assert "The verdict is not known." in text
