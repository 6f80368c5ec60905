"""The complete pipeline with the default preset, and LightGBM on the same rows.

    python -m benchmarks full_run          10,500,000 + 500,000 events, hours
    python -m benchmarks.full_run --quick  a tenth of them
    python -m benchmarks.full_run --train 3000000 --eval 300000 --folder DIR

Events are generated first. The Trainer gets a quarter of 6 GB, as on a machine with that memory.
With --folder, data and run are kept, and existing data are used. LightGBM reads the Parquet files
of the run's Examples. It grows the trees of its own published benchmark, and continues until it has
taken as long as our whole run.
Prints a table of the nodes, which it also writes to ``benchmarks/out/full_run.md``.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from importlib import resources
from pathlib import Path

from benchmarks import command_line, generated_events, machine_description, saved_results
from benchmarks.boosting_curve import Milestone
from benchmarks.higgs_command import HIGGS
from benchmarks.measurement import Measure, Measurement, Sense
from benchmarks.process_memory import CommandResult, run_command, run_module
from components.report.report_data import ReportData, read_report
from formats import names
from pipeline.metadata_store import latest_run

SECONDS = Measure("full_run", "s", 5400, Sense.AT_MOST)
MEMORY = Measure("full_run_memory", "GB", 6, Sense.AT_MOST)
AUC_AT_EQUAL_TIME = Measure("full_run_auc_equal_time", "AUC", 1, Sense.AT_LEAST)
AUC_OF_500_TREES = Measure("full_run_auc_500_trees", "AUC", 1, Sense.AT_LEAST)

FULL, QUICK = (10_500_000, 500_000), (1_050_000, 50_000)
"""Number of training and validation events."""

TRAINER_MEMORY = "1500MB"

TABLE = saved_results.OUT / "full_run.md"


def measure(num_train: int, num_eval: int, kept: Path | None = None) -> Iterator[Measurement]:
    """Runs the pipeline, then LightGBM for at least as long.

    Args:
        num_train: number of training events.
        num_eval: number of validation events.
        kept: the folder of data and run; None for one that is deleted at the end.
    """
    sizes = f"{num_train:,} + {num_eval:,} events"
    with nullcontext(kept) if kept else generated_events.scratch_folder() as folder:
        shards, root = folder / "data", folder / "root"
        if not shards.exists():
            generated_events.write_shards(shards, num_train=num_train, num_eval=num_eval)
        run = run_default(shards, root)
        seconds = run.samples[-1].time - run.samples[0].time
        yield Measurement(SECONDS, (seconds,), sizes=sizes)
        yield Measurement(
            MEMORY, (run.peak_bytes / 1e9,), sizes=f"{sizes}; peak of all processes together"
        )
        report = read_report(latest_run(str(root / "metadata" / "metadata.sqlite")))
        if report.evaluation is None:
            raise RuntimeError(f"the run has no evaluation: {report.unread}")
        auc = report.evaluation.candidate.overall.auc
        show_nodes(report, run, num_train + num_eval)
        boosting = run_module(
            "benchmarks.boosting_curve", report.outcome.uri(names.EXAMPLES), seconds
        )
    milestones = [Milestone(**json.loads(line)) for line in boosting.output.splitlines()]
    append([_boosting_line(milestone, boosting) for milestone in milestones])
    append([f"Our AUC: {auc:.5f} after {seconds:.0f} s"])
    at_500_trees, at_equal_time = milestones
    yield Measurement(AUC_AT_EQUAL_TIME, (auc,), (at_equal_time.auc,), sizes)
    yield Measurement(AUC_OF_500_TREES, (auc,), (at_500_trees.auc,), sizes)


def run_default(shards: Path, root: Path, *settings: str) -> CommandResult:
    """Runs the complete pipeline with the default preset.

    Args:
        shards: the data.
        root: the run's folder.
        settings: further values of ``--set``.
    """
    options = (
        f"data_root={shards}",
        f"root={root}",
        f"trainer.memory={TRAINER_MEMORY}",
        "evaluation.auc_lower_bound=0.5",
        *settings,
    )
    configuration = resources.files("configs") / "default.yaml"
    return run_command(
        [str(HIGGS), "run", "--config", str(configuration), *map("--set={}".format, options)]
    )


def show_nodes(report: ReportData, run: CommandResult, events: int) -> None:
    """Writes one row per node: time, share of the run, rate, and memory of all processes."""
    nodes = report.outcome.nodes.values()
    total = run.samples[-1].time - run.samples[0].time
    lines = [
        f"{events:,} events, {total:.0f} s, peak {run.peak_bytes / 1e9:.2f} GB",
        "",
        "| node | s | share | events/s | peak GB |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for node in nodes:
        start = node.started or 0
        peak = run.peak_between(start, start + node.seconds) / 1e9
        rate = f"{events / node.seconds:,.0f}" if node.seconds > 0 else ""
        share = node.seconds / total
        lines.append(f"| {node.name} | {node.seconds:.1f} | {share:.1%} | {rate} | {peak:.2f} |")
    between = total - sum(node.seconds for node in nodes)
    lines.append(f"| start, end and between nodes | {between:.1f} | {between / total:.1%} | | |")
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    TABLE.write_text("", encoding="utf-8")
    append(lines)


def append(lines: Sequence[str]) -> None:
    """Prints lines and adds them to the file with the table."""
    text = "\n".join(lines) + "\n\n"
    print(text, end="", flush=True)
    with TABLE.open("a", encoding="utf-8") as file:
        file.write(text)


def _boosting_line(milestone: Milestone, result: CommandResult) -> str:
    return (
        f"LightGBM, {milestone.trees} trees of 255 leaves: AUC {milestone.auc:.5f} after "
        f"{milestone.seconds:.0f} s, peak {result.peak_bytes / 1e9:.2f} GB"
    )


def _parse_arguments() -> tuple[int, int, Path | None]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the events")
    parser.add_argument("--train", type=int, help="number of training events")
    parser.add_argument("--eval", type=int, help="number of validation events")
    parser.add_argument("--folder", type=Path, help="keep the data and the run in this folder")
    arguments = parser.parse_args()
    num_train, num_eval = QUICK if arguments.quick else FULL
    return arguments.train or num_train, arguments.eval or num_eval, arguments.folder


if __name__ == "__main__":
    shown = []
    for measurement in measure(*_parse_arguments()):
        saved_results.save([measurement], machine_description.describe())
        shown.append(measurement.measure.name)
    command_line.show(shown)
    sys.exit()
