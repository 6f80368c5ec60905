"""From the data of a report to the one page that is mailed around: pure, and escaped throughout."""

import base64
import hashlib
import math
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from components.report import physics, tables
from components.report.evaluation import SMALL_SLICE
from components.report.figures.gallery import draw_all
from components.report.headline import gates, headline
from components.report.read import ReportData
from components.report.significance import EXPECTED_BACKGROUND, EXPECTED_SIGNAL, REGULARISATION


def render(report: ReportData) -> str:
    """The page: HTML that needs neither a network nor a server."""
    environment = _environment()
    script = _source(environment, "sort.js")
    evaluation = report.evaluation
    return environment.get_template("report.html").render(
        report=report,
        outcome=report.outcome,
        headline=headline(report),
        gates=list(gates(report)),
        facts=tables.run_facts(report),
        drawings=draw_all(report),
        slices=tables.slice_rows(evaluation) if evaluation else [],
        cuts=list(tables.cuts(evaluation.candidate.overall.scores)) if evaluation else [],
        training_facts=tables.training_facts(report),
        lineage=tables.lineage(report.outcome),
        configuration=_readable(tables.configuration(report.outcome)),
        small_slice=SMALL_SLICE,
        expected=(EXPECTED_SIGNAL, EXPECTED_BACKGROUND, REGULARISATION),
        style=_source(environment, "style.css"),
        script=script,
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


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
        "symbol": physics.symbol,
        "words": physics.words,
        "duration": tables.duration,
        "columns": lambda names: physics.order(list(names)),
    }
    return environment


def number(value: float | None, digits: int = 4) -> str:
    """A number as a person writes it: so many significant digits, infinity and nothing as signs."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if isinstance(value, int) or abs(value) >= 1000 or value == 0:
        return f"{value:,.0f}"
    # With its trailing zeros, so that a column of numbers lines up.
    return f"{value:#.{digits}g}".rstrip(".")


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    text, _, _ = environment.loader.get_source(environment, name)
    return text


def _readable(configuration: dict[str, Any]) -> str:
    """The configuration as YAML, as people write it."""
    return yaml.safe_dump(configuration, sort_keys=False) if configuration else ""
