"""`higgs report`, `runs`, `lineage` and `evaluate`."""

import os
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.error_reports import refused_data, user_errors
from pipeline.cli.imports import without_collection
from pipeline.cli.output import echo
from pipeline.cli.path_type import LocalPath

if TYPE_CHECKING:
    from rich.console import Console

DEFAULT_ROOT = "runs/demo"

root_option = click.option(
    "--root",
    # Unreadable folders get a message of their own, with the owner.
    type=LocalPath(readable=False),
    default=DEFAULT_ROOT,
    show_default=True,
    help="The pipeline root, as in the run's configuration.",
)


@click.command(short_help="Write the report of a run from stored artifacts.")
@root_option
@click.option(
    "--run",
    "run_id",
    default="",
    help="The run's id, or the beginning of it.  [default: the newest]",
)
@click.option(
    "--out",
    type=LocalPath(dir_okay=False),
    help="The file to write.  [default: ROOT/reports/RUN.html]",
)
@click.option("--open", "show", is_flag=True, help="Open the report in a browser.")
@user_errors()
def report(root: Path, run_id: str, out: Path | None, show: bool) -> None:
    """Write the report of a run, finished or not, from ML Metadata and its artifacts.

    \b
    Examples:
      higgs report --open
      higgs report --root runs/higgs --run 2026-01-31T12 --out page.html
    """
    with _reading(root) as (console, metadata_path):
        from pipeline.metadata_store import find_run, latest_run
        from pipeline.report_page import report_path, write_report

        run = find_run(metadata_path, run_id) if run_id else latest_run(metadata_path)
        path = (out or report_path(str(root), run)).absolute()
        try:
            write_report(metadata_path, run, path)
        except OSError as error:
            from pipeline.file_access import describe_access

            raise click.ClickException(
                f"cannot write {path} ({error.strerror}): {describe_access(path.parent)}; give "
                "another file with --out"
            ) from None
        console.print(f"report      {path}")
    if show:
        webbrowser.open(path.as_uri())


@click.command(short_help="List the runs of a root, the newest first.")
@root_option
@click.option(
    "--recover",
    is_flag=True,
    help="First restore damaged or missing metadata from its backup and the pushed models.",
)
@user_errors()
def runs(root: Path, recover: bool) -> None:
    """List the runs of a root, the newest first: verdict, version, AUC, events, time and gates.

    \b
    Examples:
      higgs runs
      higgs runs --root runs/higgs
      higgs runs --root runs/higgs --recover
    """
    if recover:
        _recover(root)
    with _reading(root) as (console, metadata_path):
        from pipeline.metadata_store import all_runs
        from pipeline.run_table import run_lines

        console.print(*run_lines(all_runs(metadata_path)), sep="\n")


@click.command(short_help="Trace a pushed version back to its data.")
@click.argument("version", metavar="VERSION|DIRECTORY")
@root_option
@user_errors()
def lineage(version: str, root: Path) -> None:
    """Trace a pushed VERSION of a root back to its evaluation, training, data and schema.

    With the DIRECTORY of a version, or of a copy of it anywhere, read the provenance in it and
    compare every file with the one that was pushed. Exits with 1 if they differ.

    \b
    Examples:
      higgs lineage 1795580600
      higgs lineage 1795580600 --root runs/higgs
      higgs lineage runs/higgs/serving/1795580600
    """
    if os.sep in version or Path(version).is_dir():
        _verify(LocalPath().convert(version, None, None))
        return
    with _reading(root) as (console, metadata_path):
        from pipeline.metadata_store import find_pushing_run
        from pipeline.run_table import lineage_lines

        console.print(*lineage_lines(find_pushing_run(metadata_path, version)), sep="\n")


@click.command(short_help="Evaluate an exported model on labelled shards.")
@click.option(
    "--model",
    type=LocalPath(file_okay=False),
    required=True,
    help="A SavedModel's folder, such as ROOT/serving/VERSION.",
)
@click.option(
    "--input",
    "shards",
    type=LocalPath(),
    metavar="DIRECTORY",
    required=True,
    help="A folder of TFRecord shards in the published layout, or a data_root with test/.",
)
@click.option(
    "--out",
    type=LocalPath(file_okay=False),
    required=True,
    help="A new folder for the evaluation and its report.",
)
@click.option(
    "--ignore-key",
    "ignored_keys",
    multiple=True,
    metavar="KEY",
    help="An additional key of the records to drop; may be repeated.",
)
@user_errors()
@refused_data()
def evaluate(model: Path, shards: Path, out: Path, ignored_keys: tuple[str, ...]) -> None:
    """Evaluate an exported model with the pipeline's metrics; writes OUT/report.html.

    The data must pass the same checks as in `higgs run`, or the command exits with 4.
    `tfma.load_eval_result` and TFMA's notebook view open OUT/evaluation.

    \b
    Examples:
      higgs evaluate --model runs/demo/serving/1795580600 --input data/demo/validation --out eval
    """
    if out.exists():
        raise click.UsageError(f"--out: {out} already exists; give a new folder")
    from pipeline.machine_checks import check_environment

    check_environment(os.environ)
    confine()
    with _quiet() as console:
        with without_collection():
            from formats.published.shard_files import check_readable
            from pipeline.config import WITH_TEST
            from pipeline.local_data import (
                TEST,
                NoShardsError,
                data_layout,
                find_data,
                refuse_named_splits,
            )
            from pipeline.local_root import absolute_path
            from pipeline.model_evaluation import evaluate_model
            from pipeline.run_table import decision_lines

        shards, out = (
            Path(absolute_path(option, str(path)))
            for option, path in (("--input", shards), ("--out", out))
        )
        try:
            if data_layout(shards) == WITH_TEST:
                shards = shards / TEST
                console.print(f"test set    {shards}: no gate depends on it")
            data = find_data(shards, "single")
            refuse_named_splits(
                data, "would be evaluated as one", "Give a folder with the shards of one of them"
            )
        except NoShardsError as error:
            raise click.UsageError(f"--input: {error}") from None
        for heading, text in data.lines():
            console.print(f"{heading:<12}{text}")
        for path in data.shards[""]:
            check_readable(path)
        page, decision = evaluate_model(model.absolute(), shards, out, ignored_keys)
        console.print(*decision_lines(decision), f"report      {page}", sep="\n")


def confine() -> None:
    """Drops this process's network access and credentials before it loads an untrusted model."""
    from components.serving_check.confinement import SENDING, deny, harmless_variables

    variables = {*harmless_variables(os.environ), "COLUMNS", "HOME", "TERM", "TMPDIR"}
    for name in set(os.environ) - variables:
        del os.environ[name]
    try:
        # Before any library has started a thread, which would keep its network.
        deny(SENDING)
    except OSError as error:
        echo(f"warning: the model is loaded with network access: {error}", err=True)


def _verify(folder: Path) -> None:
    """Prints the origin of a version, and how its files differ from those that were pushed."""
    from pipeline.version_check import find_differences, provenance_lines, read_provenance

    record = read_provenance(folder)
    for line in provenance_lines(record):
        echo(line)
    differences = find_differences(folder, record)
    if differences:
        echo("\n".join(["DAMAGED: this is not the model that was pushed", *differences]))
        sys.exit(1)
    size = sum(file.bytes for file in record.files.values())
    echo(f"verified: {len(record.files)} files, {size:,} bytes, as they were pushed")


def _recover(root: Path) -> None:
    from pipeline.config import ConfigError

    with _quiet() as console:
        from pipeline.metadata_recovery import recover

        if not root.is_dir():
            raise click.UsageError(f"--root: {root} is not a folder; see `higgs run`")
        try:
            console.print(*recover(root.absolute()), sep="\n")
        except ConfigError as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            raise click.ClickException(
                f"{error.filename or root}: {error.strerror}; nothing was deleted: run the command "
                "again when that is solved"
            ) from None


@contextmanager
def _reading(root: Path) -> Iterator[tuple["Console", str]]:
    """Yields a console and the metadata of a root, as `_quiet` and `read_metadata` do."""
    from pipeline.metadata_check import is_missing, metadata_file
    from pipeline.root_relocation import read_metadata

    with _quiet() as console:
        if is_missing(root):
            raise click.UsageError(
                f"--root: no metadata of a run at {metadata_file(root)}; see `higgs run`"
            )
        with read_metadata(root) as metadata_path:
            yield console, metadata_path


@contextmanager
def _quiet() -> Iterator["Console"]:
    """Yields a console while TFX and TensorFlow are silenced."""
    from pipeline.console import output_to

    # TFMA imports Keras, but nothing here runs it, so another framework does no harm.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with output_to(Path(os.devnull)) as console:
        yield console
