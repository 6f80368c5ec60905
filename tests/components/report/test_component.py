import json

import pytest
from tfx.types import standard_artifacts

from components.report.component import Report
from formats import names
from formats.artifact_types import ClassHistograms, DataVerdict, HtmlReport

INPUTS = {
    "examples": (names.EXAMPLES, standard_artifacts.Examples),
    "schema": (names.SCHEMA, standard_artifacts.Schema),
    "statistics": (names.STATISTICS, standard_artifacts.ExampleStatistics),
    "histograms": (names.HISTOGRAMS, ClassHistograms),
    "anomalies": (names.ANOMALIES, standard_artifacts.ExampleAnomalies),
    "data_verdict": (names.DATA_VERDICT, DataVerdict),
    "model": (names.MODEL, standard_artifacts.Model),
    "model_run": (names.MODEL_RUN, standard_artifacts.ModelRun),
    "evaluation": (names.EVALUATION, standard_artifacts.ModelEvaluation),
    "blessing": (names.BLESSING, standard_artifacts.ModelBlessing),
    "infra_blessing": (names.INFRA_BLESSING, standard_artifacts.InfraBlessing),
    "pushed_model": (names.PUSHED_MODEL, standard_artifacts.PushedModel),
}


def make_artifact(kind, uri, properties):
    """An artifact as TFX's entry point of containers makes it: integers are doubles in structs."""
    artifact = kind()
    artifact.uri = str(uri)
    for name, value in properties.items():
        artifact.mlmd_artifact.custom_properties[name].struct_value["__value__"] = value
    return artifact


@pytest.fixture
def render(make, run_folder, tmp_path):
    """Runs the node on the artifacts of a run and further ones; returns the page."""
    run = make.run(run_folder)
    artifacts = {
        name: [
            make_artifact(
                kind, run_folder / output.key, getattr(run.output(output), "properties", {})
            )
        ]
        for name, (output, kind) in INPUTS.items()
    }
    report = make_artifact(HtmlReport, tmp_path, {})

    def run_node(**further):
        Report.EXECUTOR_SPEC.executor_class().Do(
            artifacts | further,
            {"report": [report]},
            {"configuration": json.dumps({"seed": 7}), "code_version": "0.1.0, sources abc"},
        )
        return (tmp_path / "report.html").read_text()

    return run_node


@pytest.mark.slow
def test_page_is_rendered_from_the_artifacts_alone(render):
    page = render()
    assert "as version 17" in page
    assert '<strong id="auc">0.8000</strong>' in page
    assert "0.1.0, sources abc" in page
    assert "could not be" not in page
    assert "the figure to publish" not in page


@pytest.mark.slow
def test_page_has_the_figure_of_the_test_set_if_there_is_one(render, make, tmp_path):
    folder = tmp_path / "test"
    make.evaluation_files(
        folder, {"": {"": (make.metrics(0.7531, 3000), make.scores())}}, lower_bound=None
    )
    evaluation = make_artifact(standard_artifacts.ModelEvaluation, folder, {})
    page = render(test_evaluation=[evaluation])
    assert '<strong id="auc">0.8000</strong>' in page
    assert '<strong id="test-auc">0.7531</strong>' in page
    assert "3,000 events of <em>test</em>: the figure to publish. No gate depends on it." in page
