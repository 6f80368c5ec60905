"""One local run, from a checked configuration to its exit code."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from components.report.report_data import read_test
from components.report.run_status import is_servable
from formats import names
from formats.errors import DataRefusedError
from formats.gate_decision import GateDecision, read_decision
from formats.run_outcome import RunOutcome
from pipeline import local_runner, metadata_store
from pipeline.config import Config
from pipeline.console import following
from pipeline.exit_codes import ExitCode
from pipeline.machine_checks import describe_failure
from pipeline.repeated_interrupts import repeated_interrupts
from pipeline.report_page import report_path, write_report
from pipeline.run_recording import log_traceback
from pipeline.run_table import decision_lines, published_line, summary_table


def run(config: Config, console: Console) -> ExitCode:
    """Runs the pipeline; prints its progress and its outcome.

    Args:
        config: a resolved configuration; the caller holds its root exclusively.
        console: the user's terminal.
    """
    previous_run = _newest_run(config)
    code = _run(config, console)
    # After an interrupt the command ends at once; `higgs report` can still render the run.
    if code is not ExitCode.INTERRUPTED:
        _write_report(config, previous_run, console)
    return code


def _newest_run(config: Config) -> str | None:
    try:
        return metadata_store.newest_run_id(config.metadata_path)
    except Exception:  # the run will meet the same error, and report it
        log_traceback()
        return None


def _run(config: Config, console: Console) -> ExitCode:
    with following(console) as progress:
        try:
            with repeated_interrupts():
                local_runner.run(config)
            return print_outcome(metadata_store.latest_run(config.metadata_path), console)
        except DataRefusedError as error:
            node = f" by {progress.running}" if progress.running else ""
            code, message = ExitCode.DATA_REFUSED, f"DATA REFUSED{node}\n{error}"
        except KeyboardInterrupt:
            code = ExitCode.INTERRUPTED
            message = f"INTERRUPTED in {progress.running}; run again to resume"
        except Exception as error:  # the log has the traceback, the console one sentence
            log_traceback()
            code = ExitCode.FAILED
            place = f"in {progress.running}" if progress.running else "before the first node"
            reason = describe_failure(error, Path(config.root), progress.running)
            message = f"FAILED {place}: {reason}"
    console.print(f"\n{message}")
    return code


def print_outcome(outcome: RunOutcome, console: Console) -> ExitCode:
    """Prints every node, the gate decision with its margins, and the push."""
    console.print()
    console.print(summary_table(outcome), soft_wrap=False)
    baseline = outcome.output(names.MODEL_IN_SERVICE)
    if baseline:
        remark = baseline.properties.get(names.BASELINE_REMARK_PROPERTY, baseline.uri)
        console.print(f"baseline    {remark}")
    evaluation = outcome.uri(names.EVALUATION)
    decision = _print_evaluation(evaluation, console) if evaluation else None
    if test := outcome.uri(names.TEST_EVALUATION):
        with _reading("test AUC", console):
            console.print(published_line(read_test(test)))
    _print_scores(outcome, console)
    serving = outcome.output(names.INFRA_BLESSING)
    if serving and not serving.is_blessed:
        console.print(f"serving check: FAILED, {_serving_fault(serving.uri)}")
    if not outcome.push and decision and decision.keeps_baseline and is_servable(outcome):
        console.print("KEPT the model in service: the comparison with it is undecided")
        return ExitCode.KEPT
    return _print_push(outcome, console)


@contextmanager
def _reading(heading: str, console: Console) -> Iterator[None]:
    """Prints that a result cannot be read: the gates have decided, and this is not their reason."""
    try:
        yield
    except Exception as error:
        log_traceback()
        console.print(f"{heading:<12}not read: {type(error).__name__}: {error}")


def _print_evaluation(uri: str, console: Console) -> GateDecision | None:
    decision = None
    with _reading("AUC", console):
        decision = read_decision(uri)
        console.print(*decision_lines(decision), sep="\n")
    console.print(f"evaluation  {uri}")
    return decision


def _print_scores(outcome: RunOutcome, console: Console) -> None:
    scores = outcome.output(names.SCORES)
    if scores is None:
        return
    if scores.properties.get(names.ABSENT_PROPERTY):
        console.print("scores      none, because no model is in service")
        return
    facts = scores.properties
    console.print(
        f"scores      {facts[names.ROWS_PROPERTY]:,} rows with version "
        f"{facts[names.MODEL_VERSION_PROPERTY]}, {facts[names.FLAGGED_PROPERTY]:,} of them "
        f"invalid: {scores.uri}"
    )


def _serving_fault(uri: str) -> str:
    try:
        return (Path(uri) / names.INFRA_NOT_BLESSED_FILE).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # the blessing stays withheld without its reason
        return f"and its reason was not read: {error}"


def _write_report(config: Config, previous_run: str | None, console: Console) -> None:
    try:
        if metadata_store.newest_run_id(config.metadata_path) == previous_run:
            return  # the run has ended before its first node
        outcome = metadata_store.latest_run(config.metadata_path)
        path = report_path(config.root, outcome)
        write_report(config.metadata_path, outcome, path)
    except Exception as error:  # the run is over; its exit code must not depend on the report
        log_traceback()
        reason = describe_failure(error, Path(config.root))
        console.print(f"report      none: {reason}")
    else:
        console.print(f"report      {path}")


def _print_push(outcome: RunOutcome, console: Console) -> ExitCode:
    push = outcome.push
    if push is None:
        console.print("NOT PUSHED: a blessing was withheld")
        return ExitCode.NOT_BLESSED
    cached = outcome.is_cached(names.PUSHER)
    note = ", by an earlier run; nothing changed since" if cached else ""
    console.print(f"model       {push.destination}")
    console.print(f"PUSHED version {push.version}{note}")
    return ExitCode.PUSHED
