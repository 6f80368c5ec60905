"""The configurations in docs/scaling.md are valid for the pipeline and for Beam."""

import argparse
import re
from pathlib import Path

import pytest
import yaml
from apache_beam.options.pipeline_options import PipelineOptions

from kubeflow.dataflow_options import beam_runners
from pipeline.config import BeamConfig, Config

TEXT = (Path(__file__).parents[1] / "docs" / "scaling.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


def unknown_options(arguments):
    parser = argparse.ArgumentParser(allow_abbrev=False, conflict_handler="resolve")
    for options in PipelineOptions.__subclasses__():
        options._add_argparse_args(parser)
    return parser.parse_known_args(list(arguments))[1]


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS)
def test_beam_knows_every_option(block):
    config = Config(data_root="/data", root="/root", **yaml.safe_load(block))
    assert unknown_options(config.beam.args) == []
    for arguments in config.beam.nodes.values():
        assert unknown_options(arguments) == []


def test_all_three_runners_are_shown():
    runners = [beam_runners(BeamConfig(**yaml.safe_load(block)["beam"])) for block in BLOCKS]
    dataflow, portable = {"DataflowRunner"}, {"PortableRunner"}
    assert runners == [dataflow, dataflow, portable, portable]
    assert "flink-job-server" in BLOCKS[2]
    assert "spark-job-server" in BLOCKS[3]


def test_an_unknown_option_is_reported():
    assert unknown_options(["--runner=DirectRunner", "--flink_mastr=x"]) == ["--flink_mastr=x"]
