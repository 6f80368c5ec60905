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
    artifacts = {
        names.EXAMPLES: examples,
        names.SCHEMA: schema,
        names.STATISTICS: statistics,
        names.HISTOGRAMS: histograms,
        names.ANOMALIES: anomalies,
        names.DATA_VERDICT: data_verdict,
        names.MODEL: model,
        names.MODEL_RUN: model_run,
        names.EVALUATION: evaluation,
        names.BLESSING: blessing,
        names.INFRA_BLESSING: infra_blessing,
        names.PUSHED_MODEL: pushed_model,
    }
    if test_evaluation is not None:
        artifacts[names.TEST_EVALUATION] = test_evaluation
    executor.write_report(artifacts, configuration, code_version, report)
