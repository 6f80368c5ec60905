"""From a run's artifacts to the data of its report: one frozen object, whatever is missing."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tfx.dsl.io import fileio

from components.report import data_section
from components.report.data_section import Split
from components.report.drift import Drift, measure_drift
from components.serving_check.component import NOT_BLESSED_FILE
from formats.evaluation_record import (
    Evaluation,
    describe_evaluation,
    read_metrics,
    read_scores,
)
from formats.gate_decision import Verdict, read_verdict
from formats.run_outcome import RunOutcome
from formats.training_record import Training, read_training

logger = logging.getLogger("higgs.report")

LONGEST_REASON = 500
"""Characters of a reason that are kept."""

T = TypeVar("T")


@dataclass(frozen=True)
class ReportData:
    """All that a report says; None, nothing or empty where it is not known.

    Attributes:
      outcome: the run with its nodes, artifacts and configuration.
      verdict: the gate's decision.
      evaluation: the model's, and the baseline's.
      training: the model's.
      splits: the data.
      drift: of the data from an earlier run's.
      serving_fault: why ServingCheck withheld its blessing.
      configuration: the run's, by name.
      unread: what should be there and could not be read, with the reason.
    """

    outcome: RunOutcome
    verdict: Verdict | None = None
    evaluation: Evaluation | None = None
    training: Training | None = None
    splits: tuple[Split, ...] = ()
    drift: Drift | None = None
    serving_fault: str = ""
    configuration: Mapping[str, Any] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


def read_report(outcome: RunOutcome, earlier: RunOutcome | None = None) -> ReportData:
    """Reads all that is known of a run.

    Args:
      outcome: the run; it may have ended anywhere.
      earlier: a run on other data, which the data is compared with.
    """
    reader = _Reader()
    if outcome.record.fault:
        reader.unread["record of the run"] = outcome.record.fault
    splits = _read_splits(reader, outcome)
    return ReportData(
        outcome,
        verdict=reader.attempt(
            "verdict", None, read_verdict, _folder(outcome, "Evaluator", "evaluation")
        ),
        evaluation=_read_evaluation(reader, outcome),
        training=_read_training(reader, outcome),
        splits=splits,
        drift=reader.attempt("earlier histograms", None, _read_drift, splits[:1], earlier),
        serving_fault=reader.attempt("serving check", "", _read_serving_fault, outcome),
        configuration=reader.attempt(
            "configuration", {}, parse_configuration, outcome.record.configuration
        ),
        unread=reader.unread,
    )


def read_summary(outcome: RunOutcome) -> ReportData:
    """The gate's decision alone, which is quick."""
    reader = _Reader()
    evaluation = _folder(outcome, "Evaluator", "evaluation")
    verdict = reader.attempt("verdict", None, read_verdict, evaluation)
    return ReportData(outcome, verdict=verdict, unread=reader.unread)


def parse_configuration(text: str) -> Mapping[str, Any]:
    """A run's configuration from JSON; nothing of nothing.

    Raises:
      ValueError: the text is no JSON of names and values.
    """
    values = json.loads(text or "{}")
    if not isinstance(values, dict):
        raise ValueError(f"expected names and values, got {text[:80]}")
    return values


class _Reader:
    """Reads parts of a report, and keeps why a part could not be read."""

    def __init__(self) -> None:
        self.unread: dict[str, str] = {}

    def attempt(self, part: str, default: Any, read: Callable[..., T], *sources: Any) -> T:
        """What ``read`` makes of the sources, or the default if one is None or it fails."""
        if any(source is None for source in sources):
            return default
        try:
            return read(*sources)
        except Exception as error:  # whatever is wrong, the rest of the page is still worth having
            logger.warning("the report goes without %s: %s", part, error)
            self.unread[part] = reason(error)
            return default


def reason(error: Exception) -> str:
    """An error in words, as long as one reads."""
    return f"{type(error).__name__}: {error}"[:LONGEST_REASON]


def _read_evaluation(reader: _Reader, outcome: RunOutcome) -> Evaluation | None:
    folder = _folder(outcome, "Evaluator", "evaluation")
    metrics = reader.attempt("evaluation", None, read_metrics, folder)
    if metrics is None:
        return None
    # Where events by score are gone, the metrics are still known.
    scores = reader.attempt("scores", {}, read_scores, folder)
    return reader.attempt("evaluation", None, describe_evaluation, metrics, scores)


def _read_training(reader: _Reader, outcome: RunOutcome) -> Training | None:
    folder = _folder(outcome, "Trainer", "model_run")
    training = reader.attempt("training", None, read_training, folder)
    if training and training.unexpected:
        names = ", ".join(training.unexpected)
        reader.unread["training"] = f"of another kind than expected: {names}"
    return training


def _read_splits(reader: _Reader, outcome: RunOutcome) -> tuple[Split, ...]:
    histograms: data_section.Histograms = reader.attempt(
        "histograms", {}, data_section.read_histograms, outcome
    )
    splits = []
    for name, events in data_section.ingested_splits(outcome).items():
        statistics = reader.attempt(
            f"statistics of {name}", None, data_section.read_statistics, outcome, name
        )
        problems = reader.attempt(
            f"anomalies of {name}",
            None,
            data_section.read_problems,
            outcome,
            name,
            events,
            statistics,
        )
        splits.append(
            data_section.describe_split(name, events, statistics, problems, histograms.get(name))
        )
    return tuple(splits)


def _read_drift(splits: tuple[Split, ...], earlier: RunOutcome) -> Drift | None:
    histograms = data_section.read_histograms(earlier)
    if not splits or splits[0].name not in histograms:
        return None
    then = histograms[splits[0].name].features
    return measure_drift(earlier.run_id, splits[0].histograms, then)


def _read_serving_fault(outcome: RunOutcome) -> str:
    blessing = outcome.output("ServingCheck", "blessing")
    if blessing is None or blessing.properties.get("blessed"):
        return ""
    with fileio.open(f"{blessing.uri}/{NOT_BLESSED_FILE}", "r") as file:
        fault: str = file.read()
    return fault


def _folder(outcome: RunOutcome, node: str, key: str) -> str | None:
    output = outcome.output(node, key)
    return output.uri if output else None
