"""Report: the component."""

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
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

from components.report import executor
from formats import names
from formats.artifact_types import ClassHistograms, DataVerdict, HtmlReport

INPUTS = {
    "examples": names.EXAMPLES,
    "schema": names.SCHEMA,
    "statistics": names.STATISTICS,
    "histograms": names.HISTOGRAMS,
    "anomalies": names.ANOMALIES,
    "data_verdict": names.DATA_VERDICT,
    "model": names.MODEL,
    "model_run": names.MODEL_RUN,
    "evaluation": names.EVALUATION,
    "blessing": names.BLESSING,
    "infra_blessing": names.INFRA_BLESSING,
    "pushed_model": names.PUSHED_MODEL,
    "test_evaluation": names.TEST_EVALUATION,
}
"""The output of a run that each input is."""


@component
def Report(  # noqa: N802 (named as TFX names nodes)
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
    test_evaluation: InputArtifact[ModelEvaluation] = None,
) -> None:
    """Writes the page of a run that reached its end, pushed or refused.

    It reads no metadata store, so that it runs on every orchestrator; anything that only such a
    store knows (states and times of nodes, an earlier run's data) is not on this page. A page that
    cannot be rendered does not fail the run, whose model is already pushed: the output is then a
    page with the outcome and the reason.

    The inputs are outputs of the run's other nodes; only runs with a split ``test`` have a
    ``test_evaluation``. ``configuration`` is the run's configuration as JSON and ``code_version``
    the version of the whole project.

    Component ``outputs`` contains:

    - ``report``: ``higgs.HtmlReport``, one self-contained page.

    Example:
    ```python
    report = Report(
        examples=example_gen.outputs["examples"],
        schema=schema_importer.outputs["schema"],
        ...,
        pushed_model=pusher.outputs["pushed_model"],
        configuration=config.model_dump_json(),
        code_version="0.1.0",
    )
    ```
    """
    arguments = locals()
    artifacts = {output: arguments[name] for name, output in INPUTS.items()}
    given = {output: artifact for output, artifact in artifacts.items() if artifact is not None}
    executor.write_report(given, configuration, code_version, report)
