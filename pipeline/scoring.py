"""`higgs score`: scores every row of any files with an exported model."""

import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from components.scorer.file_scoring import FileScores, ScoreTask, ScoringError, score_file
from components.scorer.score_inputs import SUFFIX, list_data_files, output_name
from formats.artifact_manifest import list_files
from formats.errors import DataRefusedError, one_line
from formats.locations import is_remote
from formats.scores import read_footer
from pipeline.code_version import modules_version
from pipeline.intake.input_sources import Source, find_sources
from pipeline.intake.intake_error import (
    InputNotFoundError,
    encodable,
    enumerate_names,
    shorten,
)
from pipeline.intake.scored_rows import RowOptions, TableRows
from pipeline.paths import local_path
from pipeline.scored_model import ScoredModel


def find_inputs(texts: Sequence[str]) -> tuple[dict[str, Source], list[str]]:
    """Finds the files to score.

    Args:
        texts: files, folders, patterns or ``-``; files and folders in object stores.

    Returns:
        Each file by the path of its output, relative to the folder of the outputs; and notes.

    Raises:
        InputNotFoundError: two files would have the same output.
        IntakeError: one does not exist, is named twice, or is there in two forms.
    """
    inputs: dict[str, Source] = {}
    remote = [text for text in texts if is_remote(text)]
    sources, notes = find_sources([text for text in texts if not is_remote(text)], are_joined=False)
    folders = [local_path(t) for t in texts if not is_remote(t) and local_path(t).is_dir()]
    each = [part for source in sources for part in _parts(source)]
    named = [(_output_name(source, folders), source) for source in each]
    named += [entry for text in remote for entry in _find_remote(text)]
    for name, source in named:
        if name in inputs:
            raise InputNotFoundError(
                f"{inputs[name].name} and {source.name} would both be written to {name}; give the "
                "folder that contains both, or score them into two folders."
            )
        inputs[name] = source
    return inputs, notes


def _parts(source: Source) -> Iterator[Source]:
    """Yields the files of a folder of Parquet files, which are scored one by one."""
    yield from (Source(str(path), path) for path in source.files) if source.files else (source,)


def _output_name(source: Source, folders: Sequence[Path]) -> str:
    if source.path is None:
        return f"stdin{SUFFIX}"
    name = source.path.name
    for folder in folders:
        if folder in source.path.parents:
            name = source.path.relative_to(folder).as_posix()
    tree = f".{source.tree.replace('/', '.')}" if source.tree else ""
    return output_name(encodable(f"{name}{tree}"))


def _find_remote(text: str) -> Iterator[tuple[str, Source]]:
    folder = text.rstrip("/")
    with _store_named(text):
        paths = list_data_files(folder)
    for path in paths:
        uri = f"{folder}/{path}"
        yield output_name(path), Source(uri, None, uri=uri)
    if not paths:
        yield output_name(PurePosixPath(folder).name), Source(folder, None, uri=folder)


@contextmanager
def _store_named(location: str) -> Iterator[None]:
    """Names an object store in errors of its library, which are of many kinds."""
    try:
        yield
    except Exception as error:
        if not is_remote(location):
            raise
        reason = shorten(one_line(error), 200)
        raise ScoringError(
            f"{location} cannot be listed ({type(error).__name__}: {reason}). Check the address "
            "and the credentials, and that the library of this store is installed."
        ) from error


def plan_tasks(
    inputs: dict[str, Source], out: str, model: ScoredModel, options: RowOptions
) -> list[ScoreTask]:
    """Plans one task per file."""
    code = modules_version(TableRows.__module__, score_file.__module__)
    return [
        ScoreTask(
            source=TableRows(source, options),
            output=f"{out}/{name}",
            model=model.path,
            model_sha256=model.sha256,
            options=f"{options} {code}",
        )
        for name, source in inputs.items()
    ]


def find_others(out: str, inputs: dict[str, Source]) -> str:
    """Names files of scores in the folder that are not of these inputs; empty if there are none.

    Raises:
        ScoringError: an output on a disk would replace a file that has no scores.
    """
    for name in inputs:
        file = f"{out}/{name}"
        if not is_remote(out) and os.path.lexists(file) and not read_footer(file):
            raise ScoringError(
                f"{file} would be replaced, but is not a file of scores, or is damaged; move it, "
                "or give another --out"
            )
    with _store_named(out):
        present = list(list_files(out, skip_unreadable=True))
    others = sorted(path for path in present if path.endswith(SUFFIX) and path not in inputs)
    return enumerate_names(others, 3) if others else ""


def notes_of(task: ScoreTask) -> Sequence[str]:
    """Returns what the reader of a file noticed; nothing if a worker read it, or it was kept."""
    return task.source.notes if isinstance(task.source, TableRows) else ()


def total_bytes(tasks: Sequence[ScoreTask]) -> int | None:
    """Returns the bytes of all inputs; None if there is a stream or an object store."""
    sizes = [_size(task) for task in tasks]
    return None if None in sizes else sum(size or 0 for size in sizes)


def _size(task: ScoreTask) -> int | None:
    path = task.source.source.path if isinstance(task.source, TableRows) else None
    return path.stat().st_size if path and path.is_file() else None


def score_here(
    tasks: Sequence[ScoreTask], on_progress: Callable[[int, str], None]
) -> list[FileScores]:
    """Scores files one after the other in this process.

    Args:
        tasks: one per file.
        on_progress: called with the number of bytes of all inputs read so far, and the rate.

    Raises:
        DataRefusedError: an input was refused; the outputs of those before it are complete.
    """
    files: list[FileScores] = []
    start, done, rows = time.monotonic(), 0, 0
    for task in tasks:

        def note(read: int, written: int, done: int = done, rows: int = rows) -> None:
            rate = (rows + written) / max(time.monotonic() - start, 1e-9)
            on_progress(done + read, f"{rate:,.0f} rows/s")

        scores = score_file(task, note)
        files.append(scores)
        done += _size(task) or 0
        rows += 0 if scores.is_reused else scores.rows
        on_progress(done, "")
    return files


def score_on_workers(
    tasks: Sequence[ScoreTask], out: str, beam_args: Sequence[str]
) -> list[FileScores]:
    """Scores files on Beam's workers.

    Raises:
        DataRefusedError: an input was refused; the outputs of the others are complete.
        ScoringError: the model cannot be used, a file was lost or duplicated, or Beam failed.
    """
    import apache_beam as beam
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    from components.scorer.score_pipeline import score_on_beam
    from pipeline.beam_options import check_job_servers, describe_job_server_error

    staging = f"{out}/.staging-{uuid.uuid4().hex}"
    FileSystems.mkdirs(staging)
    try:
        check_job_servers([beam_args])
        pipeline = beam.Pipeline(options=PipelineOptions(list(beam_args)))
        return score_on_beam(pipeline, tasks, staging)
    except (DataRefusedError, ScoringError):
        raise
    except Exception as error:  # of any runner; its last line says what happened
        reason = describe_job_server_error(error) or str(error).strip().rpartition("\n")[2]
        raise ScoringError(f"the Beam pipeline failed: {reason}") from error
    finally:
        FileSystems.delete([staging])
