"""From a run's artifacts to the data of its report: one frozen object, whatever is missing."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tfx.dsl.io import fileio

from components.report import data
from components.report.data import Split
from components.report.drift import Drift, measure_drift
from components.report.evaluation import Evaluation, read_evaluation
from components.report.outcome import RunOutcome
from components.report.training import Training, read_training
from components.report.verdict import Verdict, read_verdict
from components.serving_check.component import NOT_BLESSED_FILE

logger = logging.getLogger("higgs.report")

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
      unread: what should be there and could not be read, with the reason.
    """

    outcome: RunOutcome
    verdict: Verdict | None = None
    evaluation: Evaluation | None = None
    training: Training | None = None
    splits: tuple[Split, ...] = ()
    drift: Drift | None = None
    serving_fault: str = ""
    unread: dict[str, str] = field(default_factory=dict)


def read_report(outcome: RunOutcome, earlier: RunOutcome | None = None) -> ReportData:
    """Reads all that is known of a run.

    Args:
      outcome: the run; it may have ended anywhere.
      earlier: a run on other data, which the data is compared with.
    """
    reader = _Reader()
    evaluation = _folder(outcome, "Evaluator", "evaluation")
    splits = _read_splits(reader, outcome)
    return ReportData(
        outcome,
        verdict=reader.attempt("verdict", None, read_verdict, evaluation),
        evaluation=reader.attempt("evaluation", None, read_evaluation, evaluation),
        training=reader.attempt(
            "training", None, read_training, _folder(outcome, "Trainer", "model_run")
        ),
        splits=splits,
        drift=reader.attempt("earlier histograms", None, _read_drift, splits[:1], earlier),
        serving_fault=reader.attempt("serving check", "", _read_serving_fault, outcome),
        unread=reader.unread,
    )


def read_summary(outcome: RunOutcome) -> ReportData:
    """The gate's decision alone, which is quick."""
    reader = _Reader()
    evaluation = _folder(outcome, "Evaluator", "evaluation")
    verdict = reader.attempt("verdict", None, read_verdict, evaluation)
    return ReportData(outcome, verdict=verdict, unread=reader.unread)


class _Reader:
    """Reads parts of a report, and keeps why a part could not be read."""

    def __init__(self) -> None:
        self.unread: dict[str, str] = {}

    def attempt(self, part: str, default: Any, read: Callable[..., T], *sources: Any) -> T:
        """What ``read`` makes of the sources, or the default if one is None or it fails."""
        if None in sources:
            return default
        try:
            return read(*sources)
        except Exception as error:  # whatever is wrong, the rest of the page is still worth having
            logger.warning("the report goes without %s: %s", part, error)
            self.unread[part] = f"{type(error).__name__}: {error}"
            return default


def _read_splits(reader: _Reader, outcome: RunOutcome) -> tuple[Split, ...]:
    statistics: data.Statistics = reader.attempt("statistics", {}, data.read_statistics, outcome)
    problems: data.Problems = reader.attempt(
        "anomalies", {}, data.read_problems, outcome, statistics
    )
    histograms: data.Histograms = reader.attempt("histograms", {}, data.read_histograms, outcome)
    return tuple(
        data.describe_split(
            name, events, statistics.get(name), problems.get(name, ()), histograms.get(name)
        )
        for name, events in data.ingested_splits(outcome).items()
    )


def _read_drift(splits: tuple[Split, ...], earlier: RunOutcome) -> Drift | None:
    histograms = data.read_histograms(earlier)
    if not splits or splits[0].name not in histograms:
        return None
    then = histograms[splits[0].name].features
    return measure_drift(earlier.run_id, splits[0].histograms, then)


def _read_serving_fault(outcome: RunOutcome) -> str:
    blessing = outcome.output("ServingCheck", "blessing")
    if blessing is None or blessing.properties["blessed"]:
        return ""
    with fileio.open(f"{blessing.uri}/{NOT_BLESSED_FILE}", "r") as file:
        fault: str = file.read()
    return fault


def _folder(outcome: RunOutcome, node: str, key: str) -> str | None:
    output = outcome.output(node, key)
    return output.uri if output else None
