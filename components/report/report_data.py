"""All data of a report in one frozen object, read from the artifacts of a run."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from components.report.data_section import (
    Split,
    describe_split,
    read_histograms,
    read_problems,
    read_statistics,
    read_text,
)
from components.report.drift import Drift, measure_drift
from formats import names, training_record
from formats.evaluation_record import (
    Evaluation,
    SliceEvaluation,
    join_evaluation,
    read_metrics,
    read_scores,
)
from formats.gate_decision import GateDecision, read_decision
from formats.run_outcome import RunOutcome, describe_invalid
from formats.training_record import TrainingRecord

logger = logging.getLogger("higgs.report")

MAX_REASON_LENGTH = 500
"""Characters of a reason that are kept."""

T = TypeVar("T")


@dataclass(frozen=True)
class ReportData:
    """All data of a report; unknown values are None or empty.

    Attributes:
        outcome: the run with its nodes, artifacts and record.
        decision: the Evaluator's decision.
        evaluation: of the candidate and the baseline.
        test: of the candidate on the split that no gate depends on; None without one.
        training: the record of the training.
        splits: the data.
        drift: of the data relative to an earlier run.
        serving_fault: why ServingCheck withheld its blessing.
        configuration: the run's, by name.
        unread: reasons why parts could not be read, by part.
    """

    outcome: RunOutcome
    decision: GateDecision | None = None
    evaluation: Evaluation | None = None
    test: SliceEvaluation | None = None
    training: TrainingRecord | None = None
    splits: tuple[Split, ...] = ()
    drift: Drift | None = None
    serving_fault: str = ""
    configuration: Mapping[str, Any] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


def read_report(outcome: RunOutcome, earlier: RunOutcome | None = None) -> ReportData:
    """Reads everything that is known of a run; never fails.

    Args:
        outcome: the run; it may have ended anywhere.
        earlier: a run on other data, with which the data is compared.
    """
    reader = _Reader()
    if outcome.record.fault:
        reader.unread["run record"] = outcome.record.fault
    splits = _read_splits(reader, outcome)
    return ReportData(
        outcome,
        decision=_read_decision(reader, outcome),
        evaluation=_read_evaluation(reader, outcome),
        test=_read_test(reader, outcome),
        training=reader.read("training", _read_training, outcome.uri(names.MODEL_RUN)),
        splits=splits,
        drift=reader.read("earlier histograms", _read_drift, splits[:1], earlier),
        serving_fault=reader.read("serving check", _read_serving_fault, outcome) or "",
        configuration=reader.read(
            "configuration", parse_configuration, outcome.record.configuration
        )
        or {},
        unread=reader.unread,
    )


def read_summary(outcome: RunOutcome) -> ReportData:
    """Reads only the Evaluator's decision and the test figures, which is fast; never fails."""
    reader = _Reader()
    return ReportData(
        outcome,
        decision=_read_decision(reader, outcome),
        test=_read_test(reader, outcome),
        unread=reader.unread,
    )


def parse_configuration(text: str) -> Mapping[str, Any]:
    """Parses a run's configuration; empty if the text is empty.

    Raises:
        ValueError: the text is not a JSON object.
    """
    values = json.loads(text or "{}")
    if not isinstance(values, dict):
        raise ValueError(f"expected a JSON object, got {text[:80]}")
    return values


def describe_error(error: Exception) -> str:
    """Describes an error in at most ``MAX_REASON_LENGTH`` characters."""
    text = (
        describe_invalid(error)
        if isinstance(error, ValidationError)
        else f"{type(error).__name__}: {error}"
    )
    return text[:MAX_REASON_LENGTH]


class _Reader:
    """Reads parts of a report and keeps the reasons why parts could not be read."""

    def __init__(self) -> None:
        self.unread: dict[str, str] = {}

    def read(self, part: str, function: Callable[..., T], *sources: Any) -> T | None:
        """Calls ``function``; returns None if a source is None or the function fails."""
        if any(source is None for source in sources):
            return None
        try:
            return function(*sources)
        except Exception as error:  # the other parts are still worth reporting
            self.unread[part] = describe_error(error)
            logger.warning("the report lacks %s: %s", part, self.unread[part])
            return None


def _read_decision(reader: _Reader, outcome: RunOutcome) -> GateDecision | None:
    return reader.read("gate decision", read_decision, outcome.uri(names.EVALUATION))


def _read_evaluation(reader: _Reader, outcome: RunOutcome) -> Evaluation | None:
    folder = outcome.uri(names.EVALUATION)
    metrics = reader.read("evaluation", read_metrics, folder)
    if metrics is None:
        return None
    # The metrics are still known where the score histograms are missing.
    scores = reader.read("scores", read_scores, folder) or {}
    return reader.read("evaluation", join_evaluation, metrics, scores)


def _read_test(reader: _Reader, outcome: RunOutcome) -> SliceEvaluation | None:
    return reader.read("test figures", read_test, outcome.uri(names.TEST_EVALUATION))


def read_test(folder: str) -> SliceEvaluation:
    """Reads the candidate's evaluation on the split ``test``, on all events.

    Raises:
        ValueError: there is none.
    """
    return join_evaluation(read_metrics(folder), {}).candidate.overall


def _read_training(folder: str) -> TrainingRecord:
    return TrainingRecord.from_json(read_text(f"{folder}/{training_record.FILE_NAME}"))


def _read_splits(reader: _Reader, outcome: RunOutcome) -> tuple[Split, ...]:
    histograms = reader.read("histograms", read_histograms, outcome.uri(names.HISTOGRAMS)) or {}
    folder, splits = outcome.uri(names.STATISTICS), []
    for name, events in outcome.events.items():
        statistics = reader.read(f"statistics of {name}", read_statistics, folder, name)
        problems = reader.read(
            f"anomalies of {name}", read_problems, outcome, name, events, statistics
        )
        splits.append(describe_split(name, events, statistics, problems, histograms.get(name)))
    return tuple(splits)


def _read_drift(splits: tuple[Split, ...], earlier: RunOutcome) -> Drift | None:
    folder = earlier.uri(names.HISTOGRAMS)
    histograms = read_histograms(folder) if folder else {}
    if not splits or splits[0].name not in histograms:
        return None
    earlier_features = histograms[splits[0].name].features
    return measure_drift(earlier.run_id, splits[0].histograms, earlier_features)


def _read_serving_fault(outcome: RunOutcome) -> str:
    blessing = outcome.output(names.INFRA_BLESSING)
    if blessing is None or blessing.is_blessed:
        return ""
    return read_text(f"{blessing.uri}/{names.INFRA_NOT_BLESSED_FILE}")
