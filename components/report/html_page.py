"""The report as one self-contained HTML page; every value is escaped."""

import base64
import hashlib
import math
from collections.abc import Mapping
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from components.evaluator.significance import EXPECTED_BACKGROUND, EXPECTED_SIGNAL, REGULARISATION
from components.report import feature_labels, number_format, report_tables
from components.report.data_section import count_missing
from components.report.drift import NOTABLE
from components.report.figures.evaluation_figures import MIN_EVENTS
from components.report.figures.gallery import draw, plan_figures
from components.report.figures.network_figure import output_shape
from components.report.report_data import ReportData
from components.report.run_status import gates, run_status
from formats import names
from formats.errors import printable
from formats.evaluation_record import SMALL_SLICE


def render(report: ReportData) -> str:
    """Renders the page, which needs neither a network nor a server."""
    environment = _environment()
    script = _source(environment, "sort.js")
    evaluation, training = report.evaluation, report.training
    drawings = {plan.name: draw(plan) for plan in plan_figures(report)}
    undrawn = {f"figure: {drawing.caption}": drawing.fault for drawing in drawings.values()}
    page = environment.get_template("report.html").render(
        report=report,
        outcome=report.outcome,
        names=names,
        status=run_status(report),
        gates=list(gates(report)),
        run_facts=report_tables.run_facts(report),
        drawings=drawings,
        unread=report.unread | {part: fault for part, fault in undrawn.items() if fault},
        features={name for split in report.splits for name in split.features},
        slices=report_tables.slice_rows(evaluation) if evaluation else [],
        cuts=(
            list(report_tables.selected_cuts(evaluation.candidate.overall.scores))
            if evaluation
            else []
        ),
        training_facts=report_tables.training_facts(training) if training else {},
        lineage=report_tables.lineage(report),
        from_metadata=any(node.state != "unknown" for node in report.outcome.nodes.values()),
        configuration=_to_yaml(report.configuration),
        small_slice=SMALL_SLICE,
        min_events=MIN_EVENTS,
        notable_distance=NOTABLE,
        expected_signal=int(EXPECTED_SIGNAL),
        expected_background=int(EXPECTED_BACKGROUND),
        regularisation=int(REGULARISATION),
        style=_source(environment, "style.css"),
        script=script,
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    return printable(page)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("components.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number_format.number,
        "fixed": number_format.fixed,
        "interval": number_format.interval,
        "duration": number_format.duration,
        "plural": number_format.plural,
        "is_infinite": math.isinf,
        "symbol": feature_labels.symbol,
        "words": feature_labels.words,
        "published_order": feature_labels.published_order,
        "node_state": report_tables.node_state,
        "output_shape": output_shape,
        "count_missing": count_missing,
    }
    return environment


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    text, _, _ = environment.loader.get_source(environment, name)
    return text


def _to_yaml(configuration: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(configuration), sort_keys=False) if configuration else ""
