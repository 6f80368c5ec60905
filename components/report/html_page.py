"""From the data of a report to the one page that is mailed around: pure, and escaped throughout."""

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from components.evaluator.significance import EXPECTED_BACKGROUND, EXPECTED_SIGNAL, REGULARISATION
from components.report import feature_labels, report_tables
from components.report.figures.gallery import draw_all
from components.report.number_format import fixed, interval, number
from components.report.report_data import ReportData
from components.report.run_status import gates, headline
from formats.evaluation_record import SMALL_SLICE


def render(report: ReportData) -> str:
    """The page: HTML that needs neither a network nor a server."""
    environment = _environment()
    script = _source(environment, "sort.js")
    evaluation = report.evaluation
    drawings = draw_all(report)
    undrawn = {f"figure: {d.caption}": d.fault for d in drawings.values() if d.fault}
    page = environment.get_template("report.html").render(
        report=report,
        outcome=report.outcome,
        headline=headline(report),
        gates=list(gates(report)),
        facts=report_tables.run_facts(report),
        drawings=drawings,
        unread=report.unread | undrawn,
        features={name for split in report.splits for name in split.features},
        slices=report_tables.slice_rows(evaluation) if evaluation else [],
        cuts=list(report_tables.cuts(evaluation.candidate.overall.scores)) if evaluation else [],
        training_facts=report_tables.training_facts(report),
        lineage=report_tables.lineage(report),
        from_metadata=any(node.state != "unknown" for node in report.outcome.nodes.values()),
        configuration=_readable(report.configuration),
        small_slice=SMALL_SLICE,
        expected=(EXPECTED_SIGNAL, EXPECTED_BACKGROUND, REGULARISATION),
        style=_source(environment, "style.css"),
        script=script,
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    return writable(page)


def writable(page: str) -> str:
    """A page without what no file or no browser takes: surrogates and control characters."""
    return _CONTROL.sub("\ufffd", page).encode("utf-8", "replace").decode("utf-8")


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("components.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "fixed": fixed,
        "interval": interval,
        "symbol": feature_labels.symbol,
        "words": feature_labels.words,
        "duration": report_tables.duration,
        "state": report_tables.state,
        "columns": lambda names: feature_labels.order(list(names)),
    }
    return environment


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    text, _, _ = environment.loader.get_source(environment, name)
    return text


def _readable(configuration: Mapping[str, Any]) -> str:
    """The configuration as YAML, as people write it."""
    return yaml.safe_dump(dict(configuration), sort_keys=False) if configuration else ""
