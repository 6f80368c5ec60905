"""Report, the node: the page of a run, from the artifacts that it is given."""

import logging
import math
from collections.abc import Mapping

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import Artifact
from tfx.types.standard_artifacts import (
    ExampleAnomalies,
    Examples,
    ExampleStatistics,
    InfraBlessing,
    Model,
    ModelBlessing,
    ModelEvaluation,
    ModelRun,
    PushedModel,
    Schema,
)

from components.report.package_versions import package_versions
from formats.artifact_types import ClassHistograms, DataVerdict, HtmlReport
from formats.run_outcome import NodeRun, Output, RunOutcome, RunRecord

logger = logging.getLogger("higgs.report")

FILE_NAME = "report.html"


@component
def Report(  # noqa: N802 (a node is named as TFX names nodes)
    examples: InputArtifact[Examples],
    schema: InputArtifact[Schema],
    statistics: InputArtifact[ExampleStatistics],
    histograms: InputArtifact[ClassHistograms],
    anomalies: InputArtifact[ExampleAnomalies],
    data_verdict: InputArtifact[DataVerdict],
    model: InputArtifact[Model],
    model_run: InputArtifact[ModelRun],
    evaluation: InputArtifact[ModelEvaluation],
    blessing: InputArtifact[ModelBlessing],
    infra_blessing: InputArtifact[InfraBlessing],
    pushed_model: InputArtifact[PushedModel],
    configuration: Parameter[str],
    code_version: Parameter[str],
    report: OutputArtifact[HtmlReport],
) -> None:
    """Writes the page of a run that came to its end, pushed or refused: ``report.html``.

    It asks no metadata store, so that it runs on every orchestrator; what only such a store knows
    (the nodes' states and times, an earlier run's data) is not on this page. The configuration is
    the run's as JSON, the code version the whole project's. A page that cannot be drawn fails no
    run whose model is pushed already: it is one that says so, with the verdict.
    """
    outputs = {
        "CollisionExampleGen": {"examples": examples},
        "ImportSchemaGen": {"schema": schema},
        "StatisticsGen": {"statistics": statistics},
        "HistogramGen": {"histograms": histograms},
        "ExampleValidator": {"anomalies": anomalies},
        "DataGate": {"verdict": data_verdict},
        "Trainer": {"model": model, "model_run": model_run},
        "Evaluator": {"evaluation": evaluation, "blessing": blessing},
        "ServingCheck": {"blessing": infra_blessing},
        "Pusher": {"pushed_model": pushed_model},
    }
    record = RunRecord(configuration, code_version, package_versions())
    page = draw_page(describe_run(outputs, record))
    with fileio.open(f"{report.uri}/{FILE_NAME}", "w") as file:
        file.write(page)


def draw_page(outcome: RunOutcome) -> str:
    """The page of a run or, if it cannot be drawn, one that says why; it raises nothing."""
    try:
        # Matplotlib and Jinja take a second to import, which building the graph need not wait for.
        from components.report.html_page import render
        from components.report.report_data import read_report

        return render(read_report(outcome))
    except Exception as error:  # the model is pushed already
        logger.exception("the page of the run could not be drawn")
        from components.report.fallback_page import render_plain

        return render_plain(outcome, error)


def describe_run(outputs: Mapping[str, Mapping[str, Artifact]], record: RunRecord) -> RunOutcome:
    """A run of which only the artifacts are known, by node and output key."""
    return RunOutcome(
        "",
        {
            node: NodeRun(
                node,
                "unknown",
                math.nan,
                {key: Output.from_mlmd(a.mlmd_artifact) for key, a in artifacts.items()},
            )
            for node, artifacts in outputs.items()
        },
        record,
    )
