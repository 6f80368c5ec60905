"""Beam options: the runner that they select, and what is refused before any work."""

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.beam_options import find_option_problems, selected_runner
from pipeline.config import ConfigError, load_config

DASK = "apache_beam.runners.dask.dask_runner.DaskRunner"


def problems(*args):
    return list(find_option_problems(args))


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["--runner=FlinkRunner"],
        ["--runner", "FlinkRunner"],
        ["--runner=DirectRunner", "--parallelism=2", "--runner", "Portable"],
        ["--runne=Spark"],
    ],
)
def test_the_runner_is_the_one_that_beam_selects(args):
    beams = PipelineOptions(args).get_all_options()["runner"]
    assert selected_runner(args) == (beams or "DirectRunner")


@pytest.mark.parametrize(
    ("runner", "reason"),
    [
        ("DaskRunner", "ignores transforms that it does not know"),
        ("dask", "ignores transforms"),
        ("DASKRUNNER", "ignores transforms"),
        (DASK, "ignores transforms"),
        ("PySparkRunner", "prototypes"),
        ("beam_pyspark_runner.pyspark_runner.PySparkRunner", "prototypes"),
        ("apache_beam.runners.render.RenderRunner", "runs nothing"),
    ],
)
@pytest.mark.parametrize("form", [["--runner={}"], ["--runner", "{}"], ["--runne={}"]])
def test_runners_that_lose_data_or_do_nothing_are_refused_with_the_reason(runner, reason, form):
    [problem] = problems("--streaming", *(part.format(runner) for part in form))
    assert runner in problem
    assert reason in problem
    assert "use Dataflow, or Flink or Spark through a job server" in problem


@pytest.mark.parametrize(
    "args",
    [
        ["--direct_running_mode=multi_processing"],
        ["--direct_running_mode", "multi_processing", "--direct_num_workers=2"],
        ["--direct_running=multi_processing"],
        ["--runner=DirectRunner", "--direct_running_mode=multi_processing"],
    ],
)
def test_multi_processing_is_refused(args):
    [problem] = problems(*args)
    assert "loses records in this mode; use multi_threading" in problem


@pytest.mark.parametrize(
    "args",
    [
        ["--direct_running_mode=multi_threading"],
        ["--runner=DataflowRunner"],
        ["--runner=SparkRunner", "--spark_master_url=spark://h:1"],
        ["--runner=DaskRunner", "--runner=DirectRunner"],
        ["--labels", "owner=a b"],
        ["--runner"],
    ],
)
def test_other_options_are_accepted(args):
    assert problems(*args) == []


def test_an_argument_that_beam_would_ignore_is_refused():
    assert problems("--runner FlinkRunner") == [
        "'--runner FlinkRunner': Beam ignores it; write --runner=FlinkRunner"
    ]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("beam.args=[--runner, dask]", "beam.args: --runner=dask: "),
        ("beam.nodes={Evaluator: [--runner=DaskRunner]}", "beam.nodes: Evaluator: --runner=DaskR"),
        ("beam.args=[--direct_running_mode=multi_processing]", "loses records in this mode"),
    ],
)
def test_a_configuration_with_such_options_is_not_valid(override, message):
    with pytest.raises(ConfigError) as error:
        load_config("configs/demo.yaml", [override])
    assert message in str(error.value)
