"""Executor of Report: renders the page of a run from its artifacts."""

import logging
import math
from collections.abc import Mapping

from markupsafe import Markup
from tfx.types import Artifact
from tfx.utils import io_utils

from components.report.number_format import fixed
from components.report.report_data import describe_error, read_report, read_summary
from components.report.run_status import evaluator_gates
from formats.names import NodeOutput
from formats.package_versions import package_versions
from formats.run_outcome import NodeRun, Output, RunOutcome, RunRecord

logger = logging.getLogger("higgs.report")

FILE_NAME = "report.html"

FALLBACK_PAGE = Markup(
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:">
<link rel="icon" href="data:,">
<title>HIGGS: {status}</title>
</head>
<body>
<h1 id="verdict">{status}</h1>
<p>{decision}</p>
<p>The report of this run could not be rendered: {error}. The node's log has the trace.</p>
</body>
</html>
"""
)


def write_report(
    artifacts: Mapping[NodeOutput, Artifact],
    configuration: str,
    code_version: str,
    report: Artifact,
) -> None:
    """Writes ``report.html``.

    Args:
        artifacts: the run's artifacts.
        configuration: the run's configuration as JSON.
        code_version: the version of the whole project.
        report: the output.
    """
    record = RunRecord(
        configuration=configuration, code_version=code_version, packages=package_versions()
    )
    page = render_or_fallback(describe_run(artifacts, record))
    io_utils.write_string_file(f"{report.uri}/{FILE_NAME}", page)


def describe_run(artifacts: Mapping[NodeOutput, Artifact], record: RunRecord) -> RunOutcome:
    """Describes a run from its artifacts alone."""
    outputs: dict[str, dict[str, Output]] = {}
    for (node, key), artifact in artifacts.items():
        outputs.setdefault(node, {})[key] = Output.from_mlmd(artifact.mlmd_artifact)
    nodes = {node: NodeRun(node, "unknown", math.nan, of_node) for node, of_node in outputs.items()}
    return RunOutcome("", nodes, record)


def render_or_fallback(outcome: RunOutcome) -> str:
    """Renders the page of a run, or the fallback page if that fails; raises nothing."""
    try:
        # Matplotlib and Jinja take a second to import, which building the graph need not spend.
        from components.report.html_page import render

        return render(read_report(outcome))
    except Exception as error:  # the model is already pushed
        logger.exception("the report could not be rendered")
        return render_fallback(outcome, error)


def render_fallback(outcome: RunOutcome, error: Exception) -> str:
    """Renders the outcome and the error without Jinja and Matplotlib, which may be the cause."""
    status = f"Pushed as version {outcome.push.version}" if outcome.push else "Not pushed"
    page = FALLBACK_PAGE.format(
        status=status, decision=_describe_decision(outcome), error=describe_error(error)
    )
    return page.encode("utf-8", "replace").decode("utf-8")


def _describe_decision(outcome: RunOutcome) -> str:
    report = read_summary(outcome)
    if report.decision is None:
        return " ".join(("The AUC is not known.", *report.unread.values()))
    lines = (
        f"; {gate.name} {gate.measured}, {gate.limit} required"
        for gate in evaluator_gates(report.decision)
    )
    auc, events = fixed(report.decision.auc), report.decision.events
    return f"AUC {auc} on {events:,} events{''.join(lines)}"
