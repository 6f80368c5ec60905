"""Beam options: the runner that they select, and what is refused before any work."""

import socket
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import create_runner

from pipeline import beam_options
from pipeline.beam_options import (
    JobServerError,
    check_job_servers,
    find_option_problems,
    selected_runner,
)
from pipeline.config import ConfigError, load_config

PORTABLE = ["--runner=PortableRunner", "--job_endpoint=flink:8099"]

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
        ["--runner=flink"],
        ["--runner=PORTABLERUNNER"],
        ["--runner=apache_beam.runners.portability.flink_runner.FlinkRunner"],
        ["--runne=Spark"],
    ],
)
def test_the_runner_is_the_one_that_beam_selects(args):
    beams = create_runner(PipelineOptions(args).get_all_options()["runner"] or "DirectRunner")
    assert selected_runner(args) == type(beams).__name__.removeprefix("Switching")


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
        ("interactive", "notebooks only"),
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
        ["--job_endpoint=h:1", "--runner=DirectRunner"],
        ["--direct_num_workers", "-1"],
        ["--runner=flink", "--streaming", "--max_bundle_size=7"],
        ["--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"],
        ["--runner=PortableRunner", "--job_endpoint=embed"],
        [*PORTABLE, "--environment_type=LOOPBACK", "--files_to_stage=x.jar"],
        [*PORTABLE, "--environment_type=EXTERNAL", "--environment_config=localhost:50000"],
        [*PORTABLE, "--environment_type=PROCESS", '--environment_config={"command": "/boot"}'],
        [*PORTABLE, "--environment_type=DOCKER", "--environment_config=image:1"],
    ],
)
def test_other_options_are_accepted(args):
    assert problems(*args) == []


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["--paralelism=2"], "--paralelism: Beam has no such option and would ignore it; did you "),
        (["--runner=flink", "--job_endpiont=a:1"], "did you mean --job_endpoint?"),
        (["--foo_bar=1"], "--foo_bar: Beam has no such option and would ignore it"),
        (["--direct=2"], "--direct: Beam has no such option"),
        (["--runner"], "--runner: expected one argument"),
        (["--direct_num_workers=x"], "--direct_num_workers: invalid int value: 'x'"),
        (["--direct_running_mode=fast"], "--direct_running_mode: invalid choice: 'fast' (choose "),
        (["DirectRunner"], "'DirectRunner': Beam ignores it; an option begins with --"),
        (
            ["--job_endpoint=h:1"],
            "without --runner Beam runs in memory and ignores it",
        ),
        (["-runner=flink"], "'-runner=flink': Beam ignores it; an option begins with --"),
        (["--runner=Foo"], "--runner=Foo: Unexpected pipeline runner: Foo. Valid values are "),
        (["--runner=no.such.Runner"], "--runner=no.such.Runner: No module named 'no'"),
        (["--runner=PortableRunner"], "--runner=PortableRunner needs --job_endpoint=HOST:PORT"),
        (["--runner=portable", "--job_endpoint=flink"], "--job_endpoint=flink: not HOST:PORT"),
        ([*PORTABLE, "--environment_type=EXTERNAL"], "EXTERNAL needs --environment_config=HOST:"),
        ([*PORTABLE, "--environment_type=PROCESS"], "PROCESS needs --environment_config={"),
        (
            [*PORTABLE, "--environment_type=nix"],
            "--environment_type=nix: unknown; known are DOCKER",
        ),
        (
            [*PORTABLE, "--environment_type=PROCESS", "--environment_config={"],
            'needs --environment_config={"command": BOOT_SCRIPT}, not {',
        ),
    ],
)
def test_options_that_beam_would_ignore_or_refuse_later_are_refused_at_once(args, problem, capsys):
    [found] = problems(*args)
    assert problem in found
    assert "\n" not in found
    assert capsys.readouterr().err == ""


def test_the_options_of_a_node_follow_those_of_all_nodes():
    portable = "[--runner=portable, --job_endpoint=flink:8099]"
    overrides = [f"beam.args={portable}", "beam.nodes={Evaluator: [--max_bundle_size=7]}"]
    beam = load_config("configs/demo.yaml", overrides).beam
    assert beam.option_lists() == [beam.args, (*beam.args, "--max_bundle_size=7")]


@pytest.mark.slow
def test_a_job_server_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr(beam_options, "JOB_SERVER_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        for runner in ("PortableRunner", "flink"):
            options = [f"--runner={runner}", f"--job_endpoint={address}"]
            with pytest.raises(JobServerError, match=f"no Beam job server answers at {address}"):
                check_job_servers([[], options])


@pytest.mark.slow
def test_a_proxy_between_here_and_a_job_server_is_named(monkeypatch):
    monkeypatch.setattr(beam_options, "JOB_SERVER_SECONDS", 0.5)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with ThreadPoolExecutor() as threads:
        server = grpc.server(threads)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        options = ["--runner=portable", f"--job_endpoint=localhost:{port}"]
        through = r"\(through the proxy in http_proxy, unless no_proxy has its host\)$"
        with pytest.raises(JobServerError, match=through):
            check_job_servers([options])
        monkeypatch.setenv("no_proxy", "localhost")
        check_job_servers([options])
        server.stop(0)


@pytest.mark.slow
def test_a_job_server_that_answers_is_accepted():
    with ThreadPoolExecutor() as threads:
        server = grpc.server(threads)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        check_job_servers([["--runner=portable", f"--job_endpoint=127.0.0.1:{port}"]])
        server.stop(0)


def test_missing_requirements_of_an_own_job_server_are_named(monkeypatch, tmp_path):
    (tmp_path / "java").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    jar = f"{tmp_path}/flink-1.15.jar"
    with pytest.raises(JobServerError, match=rf"flink_job_server_jar={jar}: there is no such file"):
        check_job_servers([["--runner=FlinkRunner", f"--flink_job_server_jar={jar}"]])
    (tmp_path / "java").unlink()
    with pytest.raises(JobServerError, match="starts a job server, which needs Java: install it"):
        check_job_servers([["--runner=SparkRunner"]])


def test_an_argument_that_beam_would_ignore_is_refused():
    assert problems("--runner FlinkRunner")[0] == (
        "'--runner FlinkRunner': Beam ignores it; write --runner=FlinkRunner"
    )


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
