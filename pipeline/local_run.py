"""One local run, from a checked configuration to its exit code."""

import traceback
from pathlib import Path

from rich.console import Console

from components.serving_check.component import NOT_BLESSED_FILE
from formats.errors import DataRefusedError
from formats.gate_decision import read_verdict
from pipeline import console as display
from pipeline import local_runner, metadata_store
from pipeline.config import Config
from pipeline.exit_codes import ExitCode
from pipeline.repeated_interrupts import insistent_interrupts
from pipeline.report_page import report_path, write_report


def run(config: Config, console: Console) -> ExitCode:
    """Runs the pipeline; shows its progress and its outcome on the console.

    Args:
      config: a settled configuration, whose root the caller has for itself.
      console: where the person looks.
    """
    known = metadata_store.newest_run_id(config.metadata_path)
    code = _run(config, console)
    # Who interrupts a run wants to be gone; `higgs report` still has it.
    if (
        code is not ExitCode.INTERRUPTED
        and metadata_store.newest_run_id(config.metadata_path) != known
    ):
        _tell_report(config, console)
    return code


def _run(config: Config, console: Console) -> ExitCode:
    with display.following(console) as progress:
        try:
            with insistent_interrupts():
                local_runner.run(config)
            return tell(metadata_store.latest_run(config.metadata_path), console)
        except DataRefusedError as error:
            code, words = ExitCode.DATA_REFUSED, f"DATA REFUSED by {progress.running}\n{error}"
        except KeyboardInterrupt:
            code = ExitCode.INTERRUPTED
            words = f"INTERRUPTED in {progress.running}; run again to go on from there"
        except Exception as error:  # the log has the trace, the console the sentence
            traceback.print_exc()
            code = ExitCode.FAILED
            words = f"FAILED in {progress.running}: {type(error).__name__}: {error}"
    console.print(f"\n{words}", soft_wrap=True)
    return code


def tell(result: metadata_store.RunOutcome, console: Console) -> ExitCode:
    """Shows what became of a run: every node, the verdict with its margins, the push."""
    console.print()
    console.print(display.summary_table(result))
    evaluation = result.output("Evaluator", "evaluation")
    if evaluation:
        _tell_evaluation(evaluation.uri, console)
    serving = result.output("ServingCheck", "blessing")
    if serving and not serving.properties["blessed"]:
        console.print(f"serving check: FAILED, {_serving_fault(serving.uri)}", soft_wrap=True)
    return _tell_push(result, console)


def _tell_evaluation(uri: str, console: Console) -> None:
    try:
        lines = list(display.verdict_lines(read_verdict(uri)))
    except Exception as error:  # the gate has decided, and this must not pass for its decision
        traceback.print_exc()
        lines = [f"AUC         not read: {type(error).__name__}: {error}"]
    for line in (*lines, f"evaluation  {uri}"):
        console.print(line, soft_wrap=True)


def _serving_fault(uri: str) -> str:
    try:
        return (Path(uri) / NOT_BLESSED_FILE).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # what it withheld stays withheld without its reason
        return f"and its reason was not read: {error}"


def _tell_report(config: Config, console: Console) -> None:
    run_outcome = metadata_store.latest_run(config.metadata_path)
    path = report_path(config.root, run_outcome)
    try:
        write_report(config.metadata_path, run_outcome, path)
    except Exception as error:  # the run is over, and its exit code must not depend on the page
        traceback.print_exc()
        console.print(f"report      none: {type(error).__name__}: {error}", soft_wrap=True)
    else:
        console.print(f"report      {path}", soft_wrap=True)


def _tell_push(result: metadata_store.RunOutcome, console: Console) -> ExitCode:
    pushed = result.output("Pusher", "pushed_model")
    if pushed is None or not pushed.properties.get("pushed"):
        console.print("NOT PUSHED: a blessing was withheld")
        return ExitCode.NOT_BLESSED
    earlier = ", by an earlier run; nothing changed since" if result.is_cached("Pusher") else ""
    console.print(f"model       {pushed.properties['pushed_destination']}", soft_wrap=True)
    console.print(f"PUSHED version {pushed.properties['pushed_version']}{earlier}")
    return ExitCode.PUSHED
