"""Evaluates any exported model on any shards of the published layout: the graph's nodes, alone.

Nothing is trained, gated or recorded in ML Metadata; the nodes' executors run one after the other.
"""

import json
import math
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tfx.components import Evaluator, ExampleValidator
from tfx.dsl.components.base.base_node import BaseNode
from tfx.proto import example_gen_pb2
from tfx.types import Artifact, Channel
from tfx.types.standard_artifacts import Examples, ExampleStatistics, Model, Schema
from tfx.utils import path_utils

from components.evaluator.eval_config import SIGNATURE, eval_config
from components.example_gen.component import CollisionExampleGen
from components.histogram_gen.component import HistogramGen
from components.report.html_page import render
from components.report.package_versions import package_versions
from components.report.report_data import read_report
from components.statistics_gen.component import ColumnarStatisticsGen
from formats.published.shards import SHARDS
from formats.run_outcome import NodeRun, Output, RunOutcome, RunRecord
from pipeline.code_version import project_version
from pipeline.graph import SCHEMA_FILE
from pipeline.report_page import write_page
from pipeline.user_errors import UnsuitableModelError

PAGE = "report.html"


def evaluate(model: Path, shards: Path, out: Path) -> tuple[Path, float]:
    """Evaluates a model, and writes the evaluation, the data's statistics and the page.

    Args:
      model: a SavedModel's folder.
      shards: a folder of shards.
      out: a folder that is not there yet; it is removed again if the evaluation fails.

    Returns:
      The page, and the AUC.

    Raises:
      UnsuitableModelError: the folder holds no SavedModel with the signature that is evaluated.
      DataRefusedError: a shard is not valid, or there is none.
    """
    check_model(model)
    out.mkdir(parents=True)
    try:
        outcome = _run_nodes(model, shards, out)
        report = read_report(outcome)
        write_page(render(report), out / PAGE)
    except BaseException:
        shutil.rmtree(out)
        raise
    assert report.verdict is not None, report.unread
    return out / PAGE, report.verdict.auc


def check_model(model: Path) -> None:
    """Looks whether a model has the signature that is evaluated, without loading it.

    Raises:
      UnsuitableModelError: there is no SavedModel, it is damaged, or it has other signatures.
    """
    try:
        content = (model / "saved_model.pb").read_bytes()
    except OSError:
        raise UnsuitableModelError(
            f"{model} holds no saved_model.pb; name an exported model, such as ROOT/serving/VERSION"
        ) from None
    try:
        graphs = SavedModel.FromString(content).meta_graphs
    except DecodeError:
        raise UnsuitableModelError(
            f"{model}/saved_model.pb is no SavedModel, or not the whole of one; export it again"
        ) from None
    signatures = sorted(name for graph in graphs for name in graph.signature_def)
    if SIGNATURE not in signatures:
        raise UnsuitableModelError(
            f"{model} has the signatures {', '.join(signatures) or 'none'}; {SIGNATURE} is needed, "
            "which takes one float32 [N, 1] a feature"
        )


class _Nodes:
    """Runs executors of nodes, and keeps what a report wants to know of them."""

    def __init__(self, folder: Path):
        self._folder = folder
        self.runs: dict[str, NodeRun] = {}

    def run(self, node: BaseNode, inputs: Mapping[str, Artifact]) -> dict[str, Artifact]:
        """The artifacts of a node by output key; each gets a folder of that name."""
        started, clock = time.time(), time.perf_counter()
        outputs = {key: channel.type() for key, channel in node.outputs.items()}
        for key, artifact in outputs.items():
            artifact.uri = str(self._folder / key)
            Path(artifact.uri).mkdir()
        node.executor_spec.executor_class().Do(
            {key: [artifact] for key, artifact in inputs.items()},
            {key: [artifact] for key, artifact in outputs.items()},
            dict(node.exec_properties),
        )
        self.runs[node.id] = NodeRun(
            node.id,
            "done",
            time.perf_counter() - clock,
            {key: Output.from_mlmd(artifact.mlmd_artifact) for key, artifact in outputs.items()},
            started,
        )
        return outputs

    def take(self, node: str, key: str, kind: type[Artifact], folder: Path) -> dict[str, Artifact]:
        """An artifact that is there already, as the output of a node that need not run."""
        artifact = kind()
        artifact.uri = str(folder)
        self.runs[node] = NodeRun(node, "given", math.nan, {key: Output(artifact.uri, {})})
        return {key: artifact}


def _run_nodes(model: Path, shards: Path, out: Path) -> RunOutcome:
    nodes = _Nodes(out)
    examples = nodes.run(_example_gen(shards), {})
    channel, measured = Channel(type=Examples), Channel(type=ExampleStatistics)
    statistics = nodes.run(ColumnarStatisticsGen(channel).with_id("StatisticsGen"), examples)
    nodes.run(HistogramGen(examples=channel, statistics=measured), examples | statistics)
    schema = nodes.take("ImportSchemaGen", "schema", Schema, SCHEMA_FILE.parent)
    nodes.run(
        ExampleValidator(statistics=measured, schema=Channel(type=Schema)), statistics | schema
    )
    trained = nodes.take("Trainer", "model", Model, _as_trained(model, out / "model"))
    nodes.run(
        Evaluator(
            examples=channel,
            model=Channel(type=Model),
            eval_config=eval_config(None),
            module_path="components.evaluator.extractors",
        ),
        examples | trained,
    )
    # Copies of what is there already, and the blessing that was not asked for.
    for folder in ("examples", "model", "blessing"):
        shutil.rmtree(out / folder)
    return RunOutcome("", nodes.runs, _record(model, shards))


def _example_gen(shards: Path) -> CollisionExampleGen:
    split = example_gen_pb2.Input.Split(name="eval", pattern=SHARDS)
    return CollisionExampleGen(
        input_base=str(shards),
        input_config=example_gen_pb2.Input(splits=[split]),
        output_config=example_gen_pb2.Output(),
    )


def _as_trained(model: Path, folder: Path) -> Path:
    """A folder in which TFX finds the model where a Trainer would have put it."""
    place = Path(path_utils.serving_model_dir(str(folder)))
    place.parent.mkdir(parents=True)
    place.symlink_to(model, target_is_directory=True)
    return folder


def _record(model: Path, shards: Path) -> RunRecord:
    return RunRecord(
        json.dumps({"model": str(model), "data_root": str(shards)}),
        project_version(),
        package_versions(),
        ending="evaluated",
        failure=f"{model} on {shards}; no gate was asked",
    )
