from pathlib import Path

from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from kubeflow.dataflow_options import with_dataflow_options
from pipeline.config import load_config

CONFIG = Path(__file__).parents[2] / "configs" / "vertex.yaml"


def test_labels_of_beams_options_join_those_of_the_configuration():
    args = "beam.args=[--runner=DataflowRunner, --labels=team=mine, --labels, cost=x]"
    config = load_config(CONFIG, [args, "vertex.labels={team: higgs, run: a}"])
    completed = with_dataflow_options(config, config.vertex).beam.args
    labels = PipelineOptions(list(completed)).view_as(GoogleCloudOptions).labels
    # Dataflow takes the last value of a key.
    assert dict(label.split("=") for label in labels) == {"team": "mine", "cost": "x", "run": "a"}
    assert labels[-2:] == ["team=mine", "cost=x"]
