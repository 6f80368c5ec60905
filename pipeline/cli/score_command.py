"""The command ``higgs score``: scores of an exported model for every row of any files."""

import os
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from formats.locations import is_remote
from pipeline.cli.convert_command import check_place, interruption, print_notes
from pipeline.cli.convert_options import intake_options, make_intake_options
from pipeline.cli.error_reports import user_errors
from pipeline.cli.output import echo
from pipeline.cli.path_type import LocalPath, Location
from pipeline.cli.report_commands import DEFAULT_ROOT, confine
from pipeline.cli.shared_options import set_option

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from components.scorer.file_scoring import FileScores, ScoreTask
    from pipeline.config import Config


@click.command(short_help="Score events, labelled or not, with an exported model.")
@click.option(
    "--model",
    required=True,
    metavar="VERSION|DIR|FILE.onnx",
    help="A pushed version, a SavedModel's folder, or an ONNX file, for which TensorFlow is not "
    "needed.",
)
@click.option(
    "--input",
    "inputs",
    type=Location(),
    multiple=True,
    required=True,
    metavar="ANY",
    help="A file, a folder, a pattern or - for standard input; may be repeated.",
)
@click.option(
    "--out",
    type=Location(),
    required=True,
    metavar="DIR",
    help="Folder for one Parquet file per input.",
)
@click.option(
    "--columns",
    multiple=True,
    metavar="NAMES",
    help="Columns to copy, separated by commas: the input's own, or features; 'features' means all "
    "28. May be repeated.",
)
@click.option(
    "--id",
    "id_column",
    metavar="NAME",
    help="The column that identifies a row.  [default: the columns file and row]",
)
@click.option(
    "--flag-invalid",
    is_flag=True,
    help="Leave rows with invalid values unscored, with the reason in the column 'reason', instead "
    "of refusing the input.",
)
@click.option(
    "--serving",
    type=Location(),
    metavar="DIR",
    help=f"Folder of the versions.  [default: that of --config, or {DEFAULT_ROOT}/serving]",
)
@click.option(
    "--config",
    "config_file",
    type=LocalPath(),
    help="A run's configuration, whose beam.args select the Beam runner.",
)
@set_option
@intake_options
@user_errors()
def score(
    model: str,
    inputs: tuple[str, ...],
    out: str,
    columns: tuple[str, ...],
    id_column: str | None,
    flag_invalid: bool,
    serving: str | None,
    config_file: Path | None,
    overrides: tuple[str, ...],
    **options: Any,
) -> None:
    """Score every row of files in any form that `higgs convert` reads, labelled or not.

    OUT gets one Parquet file per input file: the row's file and number, or its id, and
    signal_probability. A file appears when it is complete. When the command is repeated, files
    whose input, model, options and code (of this package and its libraries) are unchanged are
    kept.

    \b
    Examples:
      higgs score --model 1795580600 --input data/new --out scores
      higgs score --model model.onnx --input 'new/*.csv.gz' --columns weight,features --out s
      higgs score --model DIR --input x.parquet --id event --flag-invalid --out scores
      higgs score --model 1795580600 --input gs://BUCKET/new --out gs://BUCKET/scores --config F

    \b
    Exit codes:
      0  every row was read and written   4  an input was refused, with the reasons
      1  any other failure              130  interrupted: repeat the command to resume
      2  bad usage or configuration
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _refuse_empty({"--model": model, "--out": out, "--id": id_column, "--serving": serving})
    config = _load_config(config_file, overrides)
    id_column = id_column or ""
    names = _split_names(columns, id_column)
    out = _check_out(out)
    beam_args = config.beam.args if config else ()
    if not beam_args and not any(map(is_remote, (model, out, serving or "", *inputs))):
        confine()
    with interruption("complete files are kept; run the same command again to resume."):
        from pipeline import scoring
        from pipeline.intake.scored_rows import RowOptions
        from pipeline.scored_model import find_model

        start = time.monotonic()
        sources, notes = scoring.find_inputs(inputs)
        check_place(sources.values(), Path(out))
        directory = serving or (config.push_directory if config else f"{DEFAULT_ROOT}/serving")
        chosen = find_model(model, directory)
        _check_outputs(out, sources, chosen.path)
        row_options = RowOptions(make_intake_options(**options), id_column, names, flag_invalid)
        tasks = scoring.plan_tasks(sources, out, chosen, row_options)
        if others := scoring.find_others(out, sources):
            notes.append(f"{out}: has files of other inputs: {others}")
        print_notes(notes)
        echo(f"Model {chosen.description}")
        files = _score(tasks, out, beam_args)
        print_notes(note for task in tasks for note in scoring.notes_of(task))
    _print_summary(files, out, time.monotonic() - start)


def _refuse_empty(given: "Mapping[str, str | None]") -> None:
    for option, text in given.items():
        if text is not None and not text.strip():
            raise click.UsageError(f"{option} is empty; it may name a variable that is not set.")


def _score(tasks: "list[ScoreTask]", out: str, beam_args: "Sequence[str]") -> "list[FileScores]":
    """Scores on Beam's workers if there are options for them, otherwise in this process."""
    from formats.folder_lock import locked_folder
    from pipeline.sample_data.progress_bar import progress
    from pipeline.scoring import score_here, score_on_workers, total_bytes

    with nullcontext() if is_remote(out) else locked_folder(Path(out)):
        if beam_args:
            return score_on_workers(tasks, out, beam_args)
        more = f" and {len(tasks) - 1} more" if tasks[1:] else ""
        with progress(f"scoring {tasks[0].source.name}{more}", total_bytes(tasks)) as on_progress:
            return score_here(tasks, on_progress)


def _load_config(file: Path | None, overrides: tuple[str, ...]) -> "Config | None":
    from pipeline.config import load_config

    if file is None:
        if overrides:
            raise click.UsageError("--set needs --config.")
        return None
    return load_config(file, overrides)


def _split_names(columns: tuple[str, ...], id_column: str) -> tuple[str, ...]:
    from formats.features import FEATURES
    from formats.scores import RESERVED

    names: list[str] = []
    for name in (part.strip() for text in columns for part in text.split(",")):
        names += FEATURES if name == "features" else [name]
    for option, name in (("--id", id_column), *(("--columns", name) for name in names)):
        if name in RESERVED:
            raise click.UsageError(
                f"{option}: the output has a column {name} of its own; rename it in the input."
            )
    if "" in names:
        raise click.UsageError("--columns: there is an empty name; give names with commas.")
    return tuple(name for name in dict.fromkeys(names) if name != id_column)


def _check_out(out: str) -> str:
    from pipeline.paths import PathError, local_path

    if is_remote(out):
        return out.rstrip("/")
    try:
        folder = local_path(out).absolute()
    except PathError as error:
        raise click.UsageError(f"--out: {error}") from None
    if folder.exists() and not folder.is_dir():
        raise click.UsageError(f"--out: {out} is a file; give a folder")
    return str(folder)


def _check_outputs(out: str, names: "Iterable[str]", model: str) -> None:
    """Refuses outputs in a model's folder, whose files would differ from its provenance."""
    from formats.names import SAVED_MODEL_FILE

    folders = {folder for name in names for folder in Path(out, name).parents}
    for folder in sorted(folders):
        if folder == Path(model) or (folder / SAVED_MODEL_FILE).exists():
            raise click.UsageError(f"--out: {folder} is a model's folder; give another")


def _print_summary(files: "list[FileScores]", out: str, seconds: float) -> None:
    from components.report.number_format import plural

    rows, flagged = sum(file.rows for file in files), sum(file.flagged for file in files)
    reused = sum(file.is_reused for file in files)
    note = f", {reused} of them unchanged since an earlier command" * bool(reused)
    echo(f"Read and wrote {plural(rows, 'row')} in {plural(len(files), 'file')}{note}")
    if empty := sum(file.rows == 0 for file in files):
        echo(f"note: {plural(empty, 'input file')} without rows")
    if flagged:
        echo(f"No score for {plural(flagged, 'row')}: see the column reason")
    echo(f"Wrote to {out} in {seconds:.1f} s")
