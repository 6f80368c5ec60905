"""Compiled files, an environment in place of the image, and runs of the files in engines."""

import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from engine.api_server import Installation
from engine.cloud import Cloud
from engine.dag import Engine, Task
from engine.image import Stage
from engine.kubeflow import RELEASES, KubeflowEngine
from engine.processes import Commands, Forks
from engine.vertex import VertexEngine
from forks import ForkServer

from kubeflow.cloud_targets import TARGETS
from kubeflow.compiler import compile_pipeline
from kubeflow.kubeflow_runs import KubeflowRuns
from pipeline.cli.cloud_commands import SUFFIXES
from pipeline.cli.main import main
from pipeline.config import load_config

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PACKAGES = "lib/python3.10/site-packages"
TRAIN_EVENTS, EVAL_EVENTS = 4_000, 2_000

# Most of a short training is spent on what each of these adds to the graph. Beam runs in the node's
# own process.
LEAST = (
    "trainer.preset=demo",
    "trainer.derived_columns=false",
    "trainer.refit_events=0",
    "trainer.blocks=1",
    "beam.args=[]",
)

# A few seconds of training on a few thousand events.
SMALL = (
    *LEAST,
    "trainer.trees=20",
    "trainer.units=64",
    "trainer.batch_size_per_replica=128",
    "trainer.epochs=6",
    "evaluation.auc_lower_bound=0.7",
)

# This machine has no GPU, and a training fails without the device that it requests.
NO_ACCELERATOR = tuple(f"vertex.training.{key}=" for key in ("accelerator", "accelerator_count"))

# Vertex AI ingests in every run unless `ingestion.content_key` is set.
CONTENT_KEY = "ingestion.content_key=events-1"

# Runs without a baseline, with one, with a model that the gate rejects, and with invalid data.
# On Kubeflow, which ingests in every run, each trains again: the rejected model is the second.
ANOTHER_MODEL = (
    "seed=1",
    "trainer.trees=2",
    "trainer.epochs=1",
    "evaluation.auc_lower_bound=0.5",
    "evaluation.auc_max_drop=1.0",
)
REJECTED = (*ANOTHER_MODEL, "evaluation.auc_lower_bound=0.99")
RUNS = {
    "vertex": {"first": (), "second": ANOTHER_MODEL, "unblessed": REJECTED, "refused": ()},
    "kubeflow": {"first": (), "unblessed": REJECTED, "refused": ()},
}


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """Compiles a shipped configuration with overrides; returns the file."""
    folder = tmp_path_factory.mktemp("compiled")

    def compile_for(target: str, *overrides: str) -> Path:
        config = load_config(ROOT / "configs" / f"{target}.yaml", overrides)
        out = folder / f"{len(list(folder.iterdir()))}{SUFFIXES[target]}"
        compile_pipeline(TARGETS[target](config), out)
        return out

    return compile_for


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    """The bin folder of an environment built as kubeflow/Dockerfile builds it."""
    folder = tmp_path_factory.mktemp("image")
    base = folder / "base"
    subprocess.run(
        [BIN / "uv", "venv", "--quiet", "--seed", "--python", sys.executable, base], check=True
    )
    local_folders = {"/opt/venv": folder / "venv", "/src": folder / "src"}
    Stage(ROOT, local_folders, base / "bin").build(ROOT / "kubeflow" / "Dockerfile", "build")
    copy_bytecode(folder / "venv" / PACKAGES)
    return folder / "venv" / "bin"


def copy_bytecode(packages: Path) -> None:
    """Copies this environment's bytecode; Python uses the files that match the sources."""
    own = BIN.parent / PACKAGES
    for file in own.rglob("__pycache__/*.pyc"):
        copy = packages / file.relative_to(own)
        if copy.parent.parent.exists() and not copy.exists():
            copy.parent.mkdir(exist_ok=True)
            shutil.copy2(file, copy)


@pytest.fixture(scope="session")
def image_server(image):
    """Address of a server that runs commands in the image's environment."""
    server = ForkServer(image / "python")
    yield server.address
    server.close()


@dataclass
class History:
    """An engine and the results of its runs by name."""

    engine: Engine
    push_directory: Path
    cloud: Cloud | None = None
    runs: dict[str, dict[str, Task]] = field(default_factory=dict)
    versions: dict[str, list[str]] = field(default_factory=dict)

    def file(self, run, task, output):
        return self.engine.path(self.runs[run][task].output(output))


@pytest.fixture(scope="session")
def histories(tmp_path_factory, compiled, image, image_server):
    """Both engines at the same time: each runs one node after the other."""
    specs = {
        "vertex": {
            name: (
                compiled("vertex", *SMALL, *NO_ACCELERATOR, CONTENT_KEY, *changes).read_text(),
                "",
            )
            for name, changes in RUNS["vertex"].items()
        },
        "kubeflow": {
            name: submitted(*SMALL, *changes) for name, changes in RUNS["kubeflow"].items()
        },
    }
    run_all = {"vertex": _run_all_on_vertex, "kubeflow": _run_all_on_kubeflow}
    folders = {target: tmp_path_factory.mktemp(target) for target in TARGETS}
    for folder in folders.values():
        _events(folder)
    with ThreadPoolExecutor(2) as pool:
        return {
            target: pool.submit(run_all[target], folder, specs[target], image, image_server)
            for target, folder in folders.items()
        }


@pytest.fixture(scope="session")
def vertex(histories):
    return _result(histories["vertex"])


@pytest.fixture(scope="session")
def kubeflow(histories):
    return _result(histories["kubeflow"])


@pytest.fixture(scope="session", params=sorted(TARGETS))
def history(request):
    """The history of each engine in turn."""
    return request.getfixturevalue(request.param)


def _result(future: "Future[History]") -> History:
    return future.result()


def _run_all_on_vertex(folder: Path, specs, image: Path, server: str) -> History:
    """Starts the own commands of the first custom job and of the node of the last, short run."""
    folder.joinpath("cloud").mkdir()
    starts = chain([Commands(image)], repeat(Forks(image, server)))
    cloud = Cloud(folder / "cloud", lambda *arguments: next(starts)(*arguments))
    forks = Forks(image, server, **cloud.environment())
    engine = VertexEngine(folder / "engine", forks)
    history = History(engine, folder / "bucket/pipelines/higgs/serving", cloud)
    local_paths = {"gs://my-bucket/higgs": folder / "events", "gs://my-bucket": folder / "bucket"}
    commands = Commands(image, **cloud.environment())

    def start_refused(command: list[str], log: Path) -> int:
        # The driver's command is TFX's own.
        return (commands if "kubeflow.container" in command else forks)(command, log)

    _run_all(history, specs, local_paths, start_refused)
    cloud.close()
    return history


def _run_all_on_kubeflow(folder: Path, specs, image: Path, server: str) -> History:
    """The installation is upgraded after the first run."""
    # The entry point is the same as on Vertex, so forks are enough.
    forks = Forks(image, server)
    engine = KubeflowEngine(folder / "engine", forks, release=RELEASES["2.4"])
    history = History(engine, folder / "models")
    local_paths = {"/mnt/data/higgs": folder / "events", "/mnt/models/higgs": folder / "models"}
    _run_all(history, {"first": specs.pop("first")}, local_paths, forks)
    engine.release = RELEASES["2.5 and later"]
    _run_all(history, specs, local_paths, forks)
    return history


# A run in which every node does little: the least that trains, in one epoch.
TINY = (
    *LEAST,
    "trainer.trees=2",
    "trainer.buckets=4",
    "trainer.units=8",
    "trainer.epochs=1",
    "evaluation.auc_lower_bound=0.0",
    "evaluation.least_events=2",
)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, image, image_server):
    """Runs every node once on a release, with a root of a scheme: the history of the run."""
    folder = tmp_path_factory.mktemp("tiny")
    data = _events(folder, train=600, validation=400)
    forks = Forks(image, image_server)

    def run(release: str, scheme: str) -> History:
        place = folder / f"{release}-{scheme}"
        place.mkdir()
        text, root = submitted(*TINY, f"root={scheme}://bucket/higgs")
        local_paths = {"/mnt/data/higgs": data, "/mnt/models/higgs": place / "models"}
        for remote, local in local_paths.items():
            text = text.replace(remote, str(local))
        engine = KubeflowEngine(place / "engine", forks, release=RELEASES[release])
        return History(engine, place / "models", runs={"first": engine.run(text, root)})

    return run


def submitted(*overrides: str) -> tuple[str, str]:
    """The file and the root that `higgs submit` sends to Kubeflow, from the request."""
    with Installation({"state": "RUNNING"}).running() as server:
        config = load_config(
            ROOT / "configs" / "kubeflow.yaml", (*overrides, f"kubeflow.host={server.host}")
        )
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "pipeline.yaml"
            compile_pipeline(TARGETS["kubeflow"](config), file)
            KubeflowRuns(config, config.kubeflow).submit(file)
    body = server.sent["/runs"]
    documents = [body["pipeline_spec"]["pipeline_spec"], body["pipeline_spec"]["platform_spec"]]
    text = yaml.dump_all(documents, Dumper=yaml.CSafeDumper)
    return text, body["runtime_config"]["pipeline_root"]


def _run_all(history: History, specs, local_paths, start_refused) -> None:
    for name, (text, root) in specs.items():
        for remote_path, local_path in local_paths.items():
            text = text.replace(remote_path, str(local_path))
        if name == "refused":
            add_truncated_shard(next(iter(local_paths.values())))
            history.engine.start = start_refused
        history.runs[name] = history.engine.run(text, root)
        history.versions[name] = sorted(path.name for path in history.push_directory.glob("[0-9]*"))


def _events(folder: Path, train: int = TRAIN_EVENTS, validation: int = EVAL_EVENTS) -> Path:
    out = folder / "events"
    command = ["generate", f"--events={train + validation}", f"--validation-events={validation}"]
    command += ["--seed=1", "--shard-size=1500", f"--out={out}"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    return out


def add_truncated_shard(data: Path) -> None:
    """Adds a shard that ends within a record, so that the data are new and invalid."""
    shard = sorted((data / "training").iterdir())[0]
    content = shard.read_bytes()
    (data / "training" / f"extra-{shard.name}").write_bytes(content[: len(content) // 2 - 7])
