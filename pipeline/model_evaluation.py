"""`higgs evaluate`: evaluates any exported model on any shards of the published layout."""

import dataclasses
import errno
import json
import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.utils import path_utils

from components.report.html_page import render
from components.report.report_data import read_report
from components.scorer.model_runtime import UnusableModelError
from formats import names
from formats.atomic_files import remove_leftovers, write_text
from formats.errors import UserError
from formats.gate_decision import GateDecision
from formats.names import COLUMNS_SIGNATURE, SAVED_MODEL_FILE
from formats.package_versions import package_versions
from formats.run_outcome import NodeRun, Output, RunOutcome, RunRecord
from formats.source_version import project_version
from pipeline import metadata_store
from pipeline.evaluation_graph import create_evaluation_pipeline
from pipeline.machine_checks import correctable_faults
from pipeline.metadata_check import metadata_file
from pipeline.scored_model import check_version

PAGE = "report.html"

KEPT_OUTPUTS = (
    names.STATISTICS,
    names.HISTOGRAMS,
    names.ANOMALIES,
    names.SCHEMA,
    names.DATA_VERDICT,
    names.EVALUATION,
)
"""Outputs that stay beside the page, each in a folder named by its key."""


class EvaluationError(UserError, RuntimeError):
    """A disk or a limit refused what an evaluation writes."""


def evaluate_model(
    model: Path, shards: Path, out: Path, ignored_keys: Sequence[str] = ()
) -> tuple[Path, GateDecision]:
    """Evaluates a model; writes the evaluation, the statistics of the data and the report.

    Args:
        model: a SavedModel's folder.
        shards: a folder of shards.
        out: a folder that does not exist yet; it appears when it is complete.
        ignored_keys: keys besides features and label that the records may have.

    Returns:
        The report's file, and the AUC with its events; no threshold was applied.

    Raises:
        UnusableModelError: the folder does not hold a SavedModel with the evaluated signature,
            or is a pushed version with other files than were pushed.
        DataRefusedError: a shard is not valid, there is none, or DataGate refuses the data.
        FileExistsError: another command has created the folder.
        EvaluationError: a disk or a limit refused what the evaluation writes.
    """
    check_model(model)
    check_version(str(model))
    remove_leftovers(out)
    work = out.with_name(f".{out.name}.{os.getpid()}")
    work.mkdir(parents=True)
    try:
        outcome = _run_pipeline(model, shards, work, ignored_keys)
        report = read_report(outcome)
        page = render(dataclasses.replace(report, outcome=_moved(outcome, work, out)))
        write_text(work / PAGE, page)
        if out.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(out))
        work.rename(out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    assert report.decision is not None, report.unread
    return out / PAGE, report.decision


def check_model(model: Path) -> None:
    """Checks that a model has the evaluated signature, without loading it.

    Raises:
        UnusableModelError: there is no SavedModel, it is damaged, or it has other signatures.
    """
    try:
        content = (model / SAVED_MODEL_FILE).read_bytes()
    except OSError:
        raise UnusableModelError(
            f"{model} has no {SAVED_MODEL_FILE}; give an exported model, such as "
            "ROOT/serving/VERSION"
        ) from None
    try:
        graphs = SavedModel.FromString(content).meta_graphs
    except DecodeError:
        raise UnusableModelError(
            f"{model}/{SAVED_MODEL_FILE} is not a SavedModel, or is truncated; export it again"
        ) from None
    signatures = sorted(name for graph in graphs for name in graph.signature_def)
    if COLUMNS_SIGNATURE not in signatures:
        raise UnusableModelError(
            f"{model} has the signatures {', '.join(signatures) or 'none'}; {COLUMNS_SIGNATURE} "
            "is required, which takes one float32 [N, 1] per feature"
        )


def _run_pipeline(model: Path, shards: Path, work: Path, ignored_keys: Sequence[str]) -> RunOutcome:
    """Runs the pipeline in a temporary root below ``work`` and keeps the outputs of interest."""
    root = work / ".run"
    metadata_path = str(metadata_file(root))
    metadata_file(root).parent.mkdir(parents=True)
    artifact = _as_artifact(model, root / "model")
    pipeline = create_evaluation_pipeline(
        str(artifact),
        str(shards),
        str(root / "artifacts"),
        sqlite_metadata_connection_config(metadata_path),
        ignored_keys,
    )
    try:
        LocalDagRunner().run(pipeline)
    except UserError:
        raise
    except Exception as error:
        if fault := next(correctable_faults(error, root, f"a file in {work}"), ""):
            raise EvaluationError(f"{fault} and run again") from error
        raise
    outcome = metadata_store.latest_run(metadata_path)
    nodes = dict(outcome.nodes)
    nodes[names.TRAINER] = NodeRun(
        names.TRAINER, "given", math.nan, {names.MODEL.key: Output(str(model))}
    )
    for output in KEPT_OUTPUTS:
        nodes[output.node] = _keep(nodes[output.node], output.key, work)
    shutil.rmtree(root)
    return RunOutcome("", nodes, _record(model, shards))


def _as_artifact(model: Path, folder: Path) -> Path:
    """Makes a folder that holds the model where a Trainer would have put it."""
    link = Path(path_utils.serving_model_dir(str(folder)))
    link.parent.mkdir(parents=True)
    link.symlink_to(model, target_is_directory=True)
    return folder


def _keep(node: NodeRun, key: str, work: Path) -> NodeRun:
    """Moves an output out of the temporary root, and drops the node's other outputs."""
    output = node.outputs[key]
    folder = Path(output.uri).rename(work / key)
    return dataclasses.replace(node, outputs={key: dataclasses.replace(output, uri=str(folder))})


def _moved(outcome: RunOutcome, old: Path, new: Path) -> RunOutcome:
    """Returns an outcome whose outputs are below another folder, without those that are gone."""

    def move(node: NodeRun) -> NodeRun:
        outputs = {
            key: dataclasses.replace(output, uri=output.uri.replace(f"{old}/", f"{new}/", 1))
            for key, output in node.outputs.items()
            if Path(output.uri).exists()
        }
        return dataclasses.replace(node, outputs=outputs)

    nodes = {name: move(node) for name, node in outcome.nodes.items()}
    return dataclasses.replace(outcome, nodes=nodes)


def _record(model: Path, shards: Path) -> RunRecord:
    return RunRecord(
        configuration=json.dumps({"model": str(model), "data_root": str(shards)}),
        code_version=project_version(),
        packages=package_versions(),
        ending="evaluated",
        failure=f"{model} on {shards}; no threshold was applied",
    )
