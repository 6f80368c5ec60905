"""The page of a run whose page could not be drawn: the verdict, and what went wrong.

It asks neither Jinja nor Matplotlib for anything, for either may be what went wrong.
"""

from markupsafe import Markup

from components.report.number_format import fixed
from components.report.report_data import read_summary, reason
from formats.run_outcome import RunOutcome

PAGE = Markup(
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:">
<link rel="icon" href="data:,">
<title>HIGGS: {verdict}</title>
</head>
<body>
<h1 id="verdict">{verdict}</h1>
<p>{measured}</p>
<p>The page of this run could not be drawn: {fault}. The node's log has the trace.</p>
</body>
</html>
"""
)


def render_plain(outcome: RunOutcome, error: Exception) -> str:
    """The page of a run whose page could not be drawn; it raises nothing.

    Args:
      outcome: the run.
      error: why it could not be drawn.
    """
    page = PAGE.format(verdict=_push(outcome), measured=_gate(outcome), fault=reason(error))
    return page.encode("utf-8", "replace").decode("utf-8")


def _push(outcome: RunOutcome) -> str:
    pushed = outcome.output("Pusher", "pushed_model")
    if pushed is None or not pushed.properties.get("pushed"):
        return "Not pushed"
    return f"Pushed as version {pushed.properties.get('pushed_version', 'unknown')}"


def _gate(outcome: RunOutcome) -> str:
    """What the gate measured and demanded, as far as that can be read."""
    report = read_summary(outcome)
    if report.verdict is None:
        return f"The verdict is not known. {' '.join(report.unread.values())}"
    checks = (
        f"; {check.name} {fixed(check.value)}, at least {fixed(check.limit)} needed"
        for check in report.verdict.checks
    )
    return f"AUC {fixed(report.verdict.auc)} on {report.verdict.events:,} events{''.join(checks)}"
